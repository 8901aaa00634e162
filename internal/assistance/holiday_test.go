package assistance

import (
	"strings"
	"testing"
	"time"
)

// holidays are the days, as year and day of the year, that calendars tell: New Year,
// Easter Monday, 1 and 8 May, Ascension, Whit Monday, 14 July, 15 August, 1 and 11
// November, Christmas.
var holidays = read(
	"2024 01-01 04-01 05-01 05-08 05-09 05-20 07-14 08-15 11-01 11-11 12-25",
	"2025 01-01 04-21 05-01 05-08 05-29 06-09 07-14 08-15 11-01 11-11 12-25",
	"2026 01-01 04-06 05-01 05-08 05-14 05-25 07-14 08-15 11-01 11-11 12-25",
	"2027 01-01 03-29 05-01 05-06 05-08 05-17 07-14 08-15 11-01 11-11 12-25",
	"2028 01-01 04-17 05-01 05-08 05-25 06-05 07-14 08-15 11-01 11-11 12-25",
	"2029 01-01 04-02 05-01 05-08 05-10 05-21 07-14 08-15 11-01 11-11 12-25",
	"2030 01-01 04-22 05-01 05-08 05-30 06-10 07-14 08-15 11-01 11-11 12-25",
)

func read(years ...string) map[[2]int]bool {
	days := make(map[[2]int]bool)
	for _, words := range years {
		year, rest, _ := strings.Cut(words, " ")
		for _, word := range strings.Fields(rest) {
			d, err := time.Parse(time.DateOnly, year+"-"+word)
			if err != nil {
				panic(err)
			}
			days[[2]int{d.Year(), d.YearDay()}] = true
		}
	}
	return days
}

// D14: the public holidays of seven years, and no other day of them.
func TestHoliday(t *testing.T) {
	first, end := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	for d := first; d.Before(end); d = d.Add(day) {
		if got, want := holiday(d), holidays[[2]int{d.Year(), d.YearDay()}]; got != want {
			t.Errorf("%s: %v, want %v", d.Format(time.DateOnly), got, want)
		}
	}
	if len(holidays) != 7*11 {
		t.Errorf("the table has %d days", len(holidays))
	}
}

// D14: Easter as it was and will be: the earliest and the latest, and the years in
// which simpler rules are a week late.
func TestEaster(t *testing.T) {
	for _, want := range []string{
		"1818-03-22", "1943-04-25", "1954-04-18", "1961-04-02", "1981-04-19", "2000-04-23", "2008-03-23",
		"2019-04-21", "2038-04-25", "2049-04-18", "2076-04-19", "2285-03-22",
	} {
		d, err := time.Parse(time.DateOnly, want)
		if err != nil {
			t.Fatal(err)
		}
		if got := easter(d.Year()).Format(time.DateOnly); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
