package conversion

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// R23, D4: an instant is written in French, in Paris time, rounded down to the minute.
func TestFrenchTime(t *testing.T) {
	tests := []struct{ name, at, want string }{
		{"winter", "2026-11-25T07:00:00Z", "mercredi 25 novembre 2026 à 8\u00a0h\u00a000"},
		{"rounded down", "2026-11-25T07:00:59.999999999Z", "mercredi 25 novembre 2026 à 8\u00a0h\u00a000"},
		{"minute of one digit", "2026-11-25T07:05:00Z", "mercredi 25 novembre 2026 à 8\u00a0h\u00a005"},
		{"summer, and the first", "2026-06-30T22:00:00Z", "mercredi 1er juillet 2026 à 0\u00a0h\u00a000"},
		{"last minute of a year", "2026-12-31T22:59:59Z", "jeudi 31 décembre 2026 à 23\u00a0h\u00a059"},
		{"the year is that of Paris", "2026-12-31T23:00:00Z", "vendredi 1er janvier 2027 à 0\u00a0h\u00a000"},
		{"before the spring change", "2026-03-29T00:59:59Z", "dimanche 29 mars 2026 à 1\u00a0h\u00a059"},
		{"after the spring change", "2026-03-29T01:00:00Z", "dimanche 29 mars 2026 à 3\u00a0h\u00a000"},
		{"two hours before the autumn change", "2026-10-24T23:59:00Z", "dimanche 25 octobre 2026 à 1\u00a0h\u00a059"},
		{"before the autumn change", "2026-10-25T00:30:00Z", "dimanche 25 octobre 2026 à 2\u00a0h\u00a030, heure d’été"},
		{"the same hour again", "2026-10-25T01:30:00Z", "dimanche 25 octobre 2026 à 2\u00a0h\u00a030, heure d’hiver"},
		{"after the autumn change", "2026-10-25T02:00:00Z", "dimanche 25 octobre 2026 à 3\u00a0h\u00a000"},
		{"another zone", "2026-08-14T23:30:00-10:00", "samedi 15 août 2026 à 11\u00a0h\u00a030"},
		{"leap day", "2028-02-29T12:00:00Z", "mardi 29 février 2028 à 13\u00a0h\u00a000"},
	}
	for _, tt := range tests {
		at, err := time.Parse(time.RFC3339Nano, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := FrenchTime(at); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// R7: the last day of a certificate ends at midnight in Paris, in winter and in summer.
func TestDayOver(t *testing.T) {
	for at, want := range map[string]bool{
		"2026-11-25T22:59:59Z": false, "2026-11-25T23:00:00Z": true,
		"2026-07-25T21:59:59Z": false, "2026-07-25T22:00:00Z": true,
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		day := time.Date(2026, now.Month(), 25, 0, 0, 0, 0, time.UTC)
		if got := DayOver(day, now); got != want {
			t.Errorf("at %s the 25th is over: %v, want %v", at, got, want)
		}
	}
}

// R23: every day and month has its name.
func TestFrenchDate(t *testing.T) {
	tests := []string{
		"jeudi 1er janvier 2026", "lundi 2 février 2026", "mardi 3 mars 2026", "samedi 4 avril 2026", "mardi 5 mai 2026", "samedi 6 juin 2026",
		"mardi 7 juillet 2026", "samedi 8 août 2026", "mercredi 9 septembre 2026", "samedi 10 octobre 2026", "mercredi 11 novembre 2026", "samedi 12 décembre 2026",
		"vendredi 13 novembre 2026", "dimanche 21 juin 2026", "jeudi 31 décembre 2026",
	}
	dates := []time.Time{}
	for month := time.January; month <= time.December; month++ {
		dates = append(dates, time.Date(2026, month, int(month), 0, 0, 0, 0, time.UTC))
	}
	dates = append(dates, time.Date(2026, 11, 13, 0, 0, 0, 0, time.UTC), time.Date(2026, 6, 21, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 31, 22, 59, 0, 0, time.UTC))
	for i, want := range tests {
		if got := FrenchDate(dates[i]); got != want {
			t.Errorf("%s: %q, want %q", dates[i], got, want)
		}
	}
}

// D4: a printed deadline is never later than the real one, and less than a minute
// earlier, in the hour that comes twice too: no other minute has its text.
func TestFrenchTimeRoundsDown(t *testing.T) {
	first, last := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(first.Unix(), last.Unix()).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond"))
		minute := at.Truncate(time.Minute)
		if FrenchTime(at) != FrenchTime(minute) || FrenchTime(at) == FrenchTime(minute.Add(-time.Nanosecond)) || FrenchTime(at) == FrenchTime(minute.Add(time.Minute)) ||
			FrenchTime(at) == FrenchTime(at.Add(time.Hour)) {
			t.Fatalf("%s is told as %q", at, FrenchTime(at))
		}
	})
}

// R21: 48 hours are 48 hours, over a change of the clocks too.
func TestDefaultCodeLifetime(t *testing.T) {
	start := time.Date(2026, 10, 24, 10, 0, 0, 0, Paris)
	if got := FrenchTime(start.Add(DefaultCodeLifetime)); got != "lundi 26 octobre 2026 à 9\u00a0h\u00a000" {
		t.Errorf("the deadline is told as %q", got)
	}
}
