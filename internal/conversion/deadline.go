package conversion

import (
	"fmt"
	"time"
	_ "time/tzdata" // the deadline is told in Paris time on machines without a zone database too
)

// DefaultCodeLifetime is how long a code is good for (R21).
const DefaultCodeLifetime = 48 * time.Hour

// ResetLifetime is how long the code for a new password or identifier is good for (R31).
const ResetLifetime = 30 * time.Minute

// Paris is the time zone of everything a subscriber or an administrator reads (R23).
var Paris = mustLoad("Europe/Paris")

func mustLoad(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(err) // cannot happen: the zone database is embedded
	}
	return loc
}

var frenchDays = [...]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"}

var frenchMonths = [...]string{"janvier", "février", "mars", "avril", "mai", "juin",
	"juillet", "août", "septembre", "octobre", "novembre", "décembre"}

// FrenchTime writes an instant as "mercredi 25 novembre 2026 à 8 h 00", in Paris time,
// rounded down to the minute. A printed deadline is never later than the real one (D4).
// In the hour that comes twice, one night in October, it tells the first from the second.
func FrenchTime(t time.Time) string {
	t = t.In(Paris)
	said := fmt.Sprintf("%s à %d h %02d", FrenchDate(t), t.Hour(), t.Minute())
	switch t.Hour() {
	case t.Add(time.Hour).Hour():
		return said + ", heure d’été"
	case t.Add(-time.Hour).Hour():
		return said + ", heure d’hiver"
	}
	return said
}

// DayOver tells whether a day, given as its midnight UTC, is over in Paris at an instant.
func DayOver(day, at time.Time) bool {
	y, m, d := at.In(Paris).Date()
	return day.Before(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
}

// FrenchDate writes the day of an instant as "mercredi 25 novembre 2026", in
// Paris time; the first of the month is "1er".
func FrenchDate(t time.Time) string {
	t = t.In(Paris)
	day := fmt.Sprint(t.Day())
	if t.Day() == 1 {
		day = "1er"
	}
	return fmt.Sprintf("%s %s %s %d", frenchDays[t.Weekday()], day, frenchMonths[t.Month()-1], t.Year())
}

// MailsPerAddress is how many mails of campaigns start on a day in Paris to one address
// (D16).
const MailsPerAddress = 5
