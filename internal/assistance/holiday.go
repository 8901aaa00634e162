package assistance

import "time"

// holiday tells whether a day is one of the eleven public holidays of all of France
// (Code du travail, article L3133-1). The day is given by its midnight, written as UTC. It
// does not know the holidays of Alsace-Moselle and of the overseas departments alone.
func holiday(midnight time.Time) bool {
	switch midnight.Format("02/01") {
	case "01/01", "01/05", "08/05", "14/07", "15/08", "01/11", "11/11", "25/12":
		return true
	}
	switch midnight.YearDay() - easter(midnight.Year()).YearDay() {
	case 1, 39, 50: // Easter Monday, Ascension, Whit Monday
		return true
	}
	return false
}

// easter returns Easter Sunday by the rule that Nature printed anonymously on 20 April
// 1876. The rule has no exceptions in the Gregorian calendar.
func easter(year int) time.Time {
	a, b, c := year%19, year/100, year%100
	moon := (19*a + b - b/4 - (b-(b+8)/25+1)/3 + 15) % 30
	sunday := (32 + 2*(b%4) + 2*(c/4) - moon - c%4) % 7
	n := moon + sunday - 7*((a+11*moon+22*sunday)/451) + 114
	return time.Date(year, time.Month(n/31), n%31+1, 0, 0, 0, 0, time.UTC)
}
