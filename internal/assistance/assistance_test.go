package assistance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bascule/internal/conversion"
)

const usual = "Mon-Fri 08:00-19:30"

// hours reads hours, which may be none.
func hours(t rapid.TB, s string) Hours {
	t.Helper()
	if s == "" {
		return Hours{}
	}
	h, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// paris reads an instant as the clock in Paris shows it; of an hour that comes twice
// it is the first.
func paris(t rapid.TB, s string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05.999999999", s, conversion.Paris)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// D14: how much assistance there is between two instants.
func TestBetween(t *testing.T) {
	tests := []struct{ name, hours, from, to, want string }{
		{"a usual day", usual, "2026-11-25 00:00:00", "2026-11-26 00:00:00", "11h30m"},
		{"two nights and two days", usual, "2026-11-24 19:30:00", "2026-11-26 19:30:00", "23h"},
		{"48 hours over a week-end", usual, "2026-11-27 19:00:00", "2026-11-29 19:00:00", "30m"},
		{"from inside to inside", usual, "2026-11-25 10:15:00", "2026-11-25 10:15:30.5", "30.5s"},
		{"the last instant", usual, "2026-11-25 19:29:59.999999999", "2026-11-26 08:00:00", "1ns"},
		{"the end is not in it", usual, "2026-11-25 19:30:00", "2026-11-26 08:00:00", "0s"},
		{"the first instant", usual, "2026-11-25 19:30:00", "2026-11-26 08:00:00.000000001", "1ns"},
		{"nothing", usual, "2026-11-25 10:00:00", "2026-11-25 10:00:00", "0s"},
		{"backwards", usual, "2026-11-25 12:00:00", "2026-11-25 10:00:00", "0s"},
		{"Christmas", usual, "2026-12-24 12:00:00", "2026-12-28 12:00:00", "11h30m"},
		{"Ascension", usual, "2026-05-13 19:30:00", "2026-05-15 19:30:00", "11h30m"},
		{"a holiday ends at midnight", "Mon-Sun 00:00-24:00", "2026-07-13 12:00:00", "2026-07-15 12:00:00", "24h"},
		{"two spans", "Wed 08:00-12:00 14:00-18:00", "2026-11-25 11:00:00", "2026-11-25 15:00:00", "2h"},
		{"a spring day", "Sun 00:00-24:00", "2026-03-29 00:00:00", "2026-03-30 00:00:00", "23h"},
		{"an autumn day", "Sun 00:00-24:00", "2026-10-25 00:00:00", "2026-10-26 00:00:00", "25h"},
		{"the hour that is skipped", "Sun 02:00-03:00", "2026-03-29 00:00:00", "2026-03-30 00:00:00", "0s"},
		{"half of it", "Sun 01:30-02:30", "2026-03-29 00:00:00", "2026-03-30 00:00:00", "30m"},
		{"its end", "Sun 02:30-03:30", "2026-03-29 00:00:00", "2026-03-30 00:00:00", "30m"},
		{"the hour that comes twice", "Sun 02:00-03:00", "2026-10-25 00:00:00", "2026-10-26 00:00:00", "2h"},
		{"a part of it", "Sun 02:15-02:30", "2026-10-25 00:00:00", "2026-10-26 00:00:00", "30m"},
		{"after the change", usual, "2026-10-23 19:30:00", "2026-10-26 08:30:00", "30m"},
		{"the last day of a leap year", usual, "2028-12-28 19:30:00", "2029-01-03 00:00:00", "23h"}, // without the machine's zone database
		{"far ahead", usual, "2040-12-30 00:00:00", "2041-01-03 00:00:00", "23h"},                   // with it, which ends in 2037
		{"a year", usual, "2026-01-01 00:00:00", "2027-01-01 00:00:00", "2898h"},                    // 261 days, 9 of them holidays
	}
	for _, tt := range tests {
		want, err := time.ParseDuration(tt.want)
		if err != nil {
			t.Fatal(err)
		}
		if got := hours(t, tt.hours).Between(paris(t, tt.from), paris(t, tt.to)); got != want {
			t.Errorf("%s: %s, want %s", tt.name, got, want)
		}
	}
	if got := (Hours{}).Between(paris(t, "2026-01-01 00:00:00"), paris(t, "2027-01-01 00:00:00")); got != 0 {
		t.Errorf("the zero value answers %s a year", got)
	}
}

// D14: when a mail may start so that enough assistance lies inside its code's lifetime.
func TestNext(t *testing.T) {
	const h48 = 48 * time.Hour
	tests := []struct {
		name, hours, from string
		lifetime, least   time.Duration
		want              string // empty: never
	}{
		{"at once", usual, "2026-11-24 09:00:00", h48, 12 * time.Hour, "2026-11-24 09:00:00"},
		{"at once, outside the hours", usual, "2026-11-24 03:00:00", h48, 12 * time.Hour, "2026-11-24 03:00:00"},
		{"no more is asked for than there is", usual, "2026-11-26 19:00:00", h48, 12 * time.Hour, "2026-11-26 19:00:00"},
		{"a week-end", usual, "2026-11-26 19:00:01", h48, 12 * time.Hour, "2026-11-29 08:30:00"},
		{"a holiday behind a week-end", usual, "2026-04-03 08:00:00", h48, 12 * time.Hour, "2026-04-06 08:30:00"},
		{"Christmas, a Friday", usual, "2026-12-23 19:00:01", h48, 12 * time.Hour, "2026-12-27 08:30:00"},
		{"the first instant is exact", usual, "2026-11-27 19:30:00", h48 + 7, time.Hour + 3, "2026-11-28 08:59:59.999999996"},
		{"the change in spring", usual, "2026-03-27 19:30:00", h48, time.Hour, "2026-03-28 08:00:00"},
		{"the change in autumn", usual, "2026-10-23 19:30:00", h48, time.Hour, "2026-10-24 10:00:00"},
		{"nothing is asked for", usual, "2026-11-28 09:00:00", time.Hour, 0, "2026-11-28 09:00:00"},
		{"nothing is asked for, of nothing", usual, "2026-11-28 09:00:00", -1, -1, "2026-11-28 09:00:00"},
		{"a lifetime below zero", usual, "2026-11-25 09:00:00", -1, 1, ""},
		{"more than there ever is", usual, "2026-11-24 09:00:00", h48, 23*time.Hour + 1, ""},
		{"as much as there ever is", usual, "2026-11-24 09:00:00", h48, 23 * time.Hour, "2026-11-24 09:00:00"},
		{"more than a lifetime", "Mon-Sun 00:00-24:00", "2026-11-24 09:00:00", time.Hour, time.Hour + 1, ""},
		{"once a year", "Sun 00:00-24:00", "2026-10-25 00:00:00.000000001", 25 * time.Hour, 25 * time.Hour, "2027-10-31 00:00:00"},
		// 49 hours: a Sunday in autumn, and its Monday. In 2027 that is 1 November.
		{"after 400 days", "Mon 00:00-24:00, Sun 00:00-24:00", "2027-09-25 00:00:00", 49 * time.Hour, 49 * time.Hour, "2028-10-29 00:00:00"},
		{"after more than 400 days", "Mon 00:00-24:00, Sun 00:00-24:00", "2027-09-24 23:59:59.999999999", 49 * time.Hour, 49 * time.Hour, ""},
		{"after 400 days, before the span", "Mon 00:00-24:00, Sun 00:00-24:00", "2027-09-24 13:00:00", 60 * time.Hour, 49 * time.Hour, "2028-10-28 13:00:00"},
		{"after more, before the span", "Mon 00:00-24:00, Sun 00:00-24:00", "2027-09-24 12:59:59.999999999", 60 * time.Hour, 49 * time.Hour, ""},
	}
	for _, tt := range tests {
		at, ok := hours(t, tt.hours).Next(paris(t, tt.from), tt.lifetime, tt.least)
		switch {
		case tt.want == "" && ok:
			t.Errorf("%s: %s, want never", tt.name, at)
		case tt.want != "" && (!ok || at != paris(t, tt.want)):
			t.Errorf("%s: %s, %v, want %s", tt.name, at, ok, tt.want)
		}
	}
	if at, ok := (Hours{}).Next(paris(t, "2026-01-01 00:00:00"), h48, 1); ok {
		t.Errorf("the zero value: %s, want never", at)
	}
}

// D14: whether assistance answers, and when it does next.
func TestNextOpen(t *testing.T) {
	for _, tt := range []struct{ from, want string }{
		{"2026-11-25 07:59:59.999999999", "2026-11-25 08:00:00"},
		{"2026-11-25 08:00:00", "2026-11-25 08:00:00"},
		{"2026-11-25 19:29:59.999999999", "2026-11-25 19:29:59.999999999"},
		{"2026-11-25 19:30:00", "2026-11-26 08:00:00"},
		{"2026-12-24 20:00:00", "2026-12-28 08:00:00"},
		{"2026-03-28 12:00:00", "2026-03-30 08:00:00"},
	} {
		from := paris(t, tt.from)
		at, ok := hours(t, usual).NextOpen(from)
		if !ok || at != paris(t, tt.want) {
			t.Errorf("from %s: %s, %v, want %s", tt.from, at, ok, tt.want)
		}
		if open := hours(t, usual).Open(from); open != (tt.from == tt.want) {
			t.Errorf("open at %s: %v", tt.from, open)
		}
	}
	if at, ok := (Hours{}).NextOpen(paris(t, "2026-11-25 08:00:00")); ok {
		t.Errorf("the zero value answers at %s", at)
	}
}

// minutes are the hours of a week, minute by minute. The oracle of the properties reads
// them.
type minutes [7][24 * 60]bool

func drawHours(t *rapid.T) (m minutes, text string) {
	minute := rapid.OneOf(rapid.SampledFrom([]int{0, 60, 119, 120, 121, 150, 179, 180, 240, 24 * 60}), rapid.IntRange(0, 24*60))
	var parts []string
	for d, name := range weekdays {
		borders := rapid.SliceOfNDistinct(minute, 2, 5, rapid.ID).Draw(t, name)
		if rapid.IntRange(0, 3).Draw(t, "closed") == 3 {
			continue
		}
		for i := range len(borders) / 2 {
			a, b := min(borders[2*i], borders[2*i+1]), max(borders[2*i], borders[2*i+1])
			if slices.Contains(m[d][a:b], true) {
				continue // they would overlap
			}
			for n := a; n < b; n++ {
				m[d][n] = true
			}
			parts = append(parts, fmt.Sprintf("%s %02d:%02d-%02d:%02d", name, a/60, a%60, b/60, b%60))
		}
	}
	return m, strings.Join(parts, ", ")
}

// open asks the clock in Paris, and the table of holidays.
func (m *minutes) open(at time.Time) bool {
	at = at.In(conversion.Paris)
	if holidays[[2]int{at.Year(), at.YearDay()}] {
		return false
	}
	return m[(at.Weekday()+6)%7][at.Hour()*60+at.Minute()]
}

// drawInstant draws an instant near a difficulty: a change of the clock, a holiday.
func drawInstant(t *rapid.T) time.Time {
	near := rapid.SampledFrom([]string{"2024-03-31", "2024-10-27", "2024-12-25", "2025-03-30", "2025-04-21", "2025-10-26", "2026-03-29", "2026-05-14", "2026-10-25",
		"2027-10-31", "2028-01-01", "2028-02-29", "2028-03-26"}).Draw(t, "near")
	return paris(t, near+" 00:00:00").Add(3*time.Hour - drawLength(t))
}

// drawLength draws up to four days.
func drawLength(t *rapid.T) time.Duration {
	minutes := rapid.OneOf(rapid.SampledFrom([]int{1, 60, 24 * 60, 48 * 60}), rapid.IntRange(0, 24*60), rapid.IntRange(24*60, 4*24*60)).Draw(t, "minutes")
	return time.Duration(minutes)*time.Minute + time.Duration(rapid.SampledFrom([]int64{0, 1, 30e9, 60e9 - 1}).Draw(t, "nanoseconds"))
}

// D14: the sum of the minutes at which the clock in Paris shows an hour of assistance.
func TestBetweenCountsMinutes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, text := drawHours(t)
		from := drawInstant(t)
		to := from.Add(drawLength(t))
		var want time.Duration
		for at := from.Truncate(time.Minute); at.Before(to); at = at.Add(time.Minute) {
			if m.open(at) {
				want += Earlier(at.Add(time.Minute), to).Sub(Later(at, from))
			}
		}
		if got := hours(t, text).Between(from, to); got != want {
			t.Fatalf("%q: %s from %s to %s, want %s", text, got, from, to, want)
		}
	})
}

// D14: the first minute after which a lifetime has enough minutes of assistance.
func TestNextIsTheFirst(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, text := drawHours(t)
		from := drawInstant(t)
		lifetime := drawLength(t).Truncate(time.Minute)
		h := hours(t, text)
		// As much as there is some days later, or a minute more.
		then := from.Truncate(time.Minute).Add(time.Duration(rapid.IntRange(0, 10*24*60).Draw(t, "then")) * time.Minute)
		least := h.Between(then, then.Add(lifetime)) + time.Duration(rapid.IntRange(0, 1).Draw(t, "more"))*time.Minute

		want, found := from, h.Between(from, from.Add(lifetime)) >= least
		if !found {
			want = from.Truncate(time.Minute).Add(time.Minute)
			inside := h.Between(want, want.Add(lifetime))
			for inside < least && !want.After(from.Add(horizon)) {
				if m.open(want) {
					inside -= time.Minute
				}
				if m.open(want.Add(lifetime)) {
					inside += time.Minute
				}
				want = want.Add(time.Minute)
			}
			found = inside >= least && !want.After(from.Add(horizon))
		}
		got, ok := h.Next(from, lifetime, least)
		if ok != found || found && !got.Equal(want) {
			t.Fatalf("%q from %s, %s in %s: %s, %v, want %s, %v", text, from, least, lifetime, got, ok, want, found)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, bm := range []struct {
		name, from string
		least      time.Duration
	}{
		{"now", "2026-11-24 09:00:00", 12 * time.Hour},
		{"weekend", "2026-11-26 19:00:01", 12 * time.Hour},
		{"never", "2026-11-24 09:00:00", 24 * time.Hour},
	} {
		h, from := hours(b, usual), paris(b, bm.from)
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.Next(from, 48*time.Hour, bm.least)
			}
		})
	}
}
