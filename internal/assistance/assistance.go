// Package assistance tells when assistance answers (D14): at the same hours each
// week, in Paris time, and never on a public holiday in France. It is pure: instants
// in, instants and durations out.
package assistance

import (
	"iter"
	"slices"
	"time"

	"bascule/internal/conversion"
)

// Hours are the hours of a week at which assistance answers (D14), by the clock in
// Paris. An hour that the clock skips in spring does not count. An hour that it shows
// twice in autumn counts twice. The zero value never answers.
type Hours struct {
	week [7][]span // from Monday; in order, they neither overlap nor touch
}

// A span is a part of a day, by the clock since midnight; its end is not in it.
type span struct{ start, end time.Duration }

// horizon is how far Next looks: a year of holidays, both changes of the clock, and a
// month. Next does not see later instants.
const horizon = 400 * day

// Open tells whether assistance answers at an instant.
func (h Hours) Open(at time.Time) bool { return h.Between(at, at.Add(1)) > 0 }

// NextOpen returns the first instant from which assistance answers, from itself
// included; false if there is none within 400 days.
func (h Hours) NextOpen(from time.Time) (time.Time, bool) { return h.Next(from, 1, 1) }

// Between returns how much assistance there is from one instant until just before
// another one, to the nanosecond; zero if that one is not later.
func (h Hours) Between(from, to time.Time) time.Duration {
	var sum time.Duration
	for p := range h.periods(from, to) {
		sum += p.length()
	}
	return sum
}

// Next returns the first instant from which a lifetime has at least so much assistance
// inside (D14), to the nanosecond. The instant from itself may be the first. It returns
// false if there is none within 400 days.
//
// While assistance answers, waiting never adds to the assistance inside. So the first
// instant, unless it is from, comes before a period or at its start. The lifetime then
// ends just when that period and the next ones have been enough.
func (h Hours) Next(from time.Time, lifetime, least time.Duration) (time.Time, bool) {
	if least <= 0 {
		return from, true
	}
	var ahead []period    // periods that may be inside
	var sum time.Duration // their lengths
	for p := range h.periods(from, from.Add(horizon).Add(lifetime)) {
		ahead = append(ahead, p)
		sum += p.length()
		for sum >= least {
			enough := p.end.Add(least - sum) // the first of ahead and the later ones have been enough then
			if at := Later(from, enough.Add(-lifetime)); !at.After(ahead[0].start) {
				return at.In(from.Location()), true
			}
			sum -= ahead[0].length()
			ahead = slices.Delete(ahead, 0, 1)
		}
	}
	return time.Time{}, false
}

// A period is a time during which assistance answers; its end is not in it.
type period struct{ start, end time.Time }

func (p period) length() time.Duration { return p.end.Sub(p.start) }

// periods yields, in order, the periods in which assistance answers between two
// instants. It walks from one change of the clock to the next: between them each day
// has 24 hours. A period may end where the next one starts.
func (h Hours) periods(from, to time.Time) iter.Seq[period] {
	return func(yield func(period) bool) {
		for from.Before(to) {
			paris := from.In(conversion.Paris)
			_, seconds := paris.Zone()
			offset := time.Duration(seconds) * time.Second
			_, change := paris.ZoneBounds()
			if !change.After(from) { // so it is on the last day of a leap year: package time gives each year 365 days
				change = from.Add(day)
			}
			until := Earlier(change, to)
			// The clock in Paris is written as UTC, which has no changes.
			for midnight := from.UTC().Add(offset).Truncate(day); midnight.Add(-offset).Before(until); midnight = midnight.Add(day) {
				for _, s := range h.on(midnight) {
					p := period{Later(midnight.Add(s.start-offset), from), Earlier(midnight.Add(s.end-offset), until)}
					if p.start.Before(p.end) && !yield(p) {
						return
					}
				}
			}
			from = until
		}
	}
}

// on returns the spans of the day that begins at a midnight, written as UTC.
func (h Hours) on(midnight time.Time) []span {
	spans := h.week[(midnight.Weekday()+6)%7]
	if len(spans) > 0 && holiday(midnight) {
		return nil
	}
	return spans
}

// Earlier is the earlier of two instants.
func Earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Later is the later of two instants.
func Later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
