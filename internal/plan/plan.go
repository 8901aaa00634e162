// Package plan foresees a campaign: how many of its invitations leave on which day,
// by its order and its brakes (D13, D14). It is pure: counts and hours in, days out.
package plan

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"bascule/internal/assistance"
	"bascule/internal/conversion"
)

// Brakes are the limits of a campaign.
type Brakes struct {
	From     time.Time     // nothing leaves before this instant
	PerDay   int           // at most so many leave on a day in Paris; 0: no limit
	Today    int           // how many had left on the day of From already
	Rate     float64       // at most so many mails a second; 0: all mails of a day leave at once
	MinHelp  time.Duration // so much assistance lies in the lifetime of a code; 0: any
	Lifetime time.Duration // of a code
	Help     assistance.Hours
}

// A Plan counts the fates of all invitations: Mails leave; Alone, Never and Beyond
// stay.
type Plan struct {
	Days   []Day // the days on which some leave, in order
	Mails  int
	Late   int       // mails that leave when their certificate has expired
	Last   time.Time // when the last one leaves; zero if none does
	Alone  int       // left alone (D17)
	Never  int       // no instant has enough assistance ahead (D14)
	Beyond int       // they would leave more than Horizon later
	// Worst and Median are the assistance in the lifetime of the codes, looked at every
	// quarter of an hour.
	Worst, Median time.Duration
}

// A Day counts the invitations that leave on a day in Paris. Parts are its groups, in
// order.
type Day struct {
	Date        time.Time // its midnight, told in UTC
	Mails       int
	Late        int
	First, Last time.Time                 // when the first and the last leave
	Parts       []conversion.PendingGroup // without their addresses
}

// Horizon is how far a plan looks. What would leave later stays (Beyond).
const Horizon = 10 * 366 * 24 * time.Hour

// Make foresees the fates of the groups. It assumes that nothing fails, that nobody
// changes the brakes, and that workers are fast enough. The first invitations in the
// order of a day leave first.
func Make(groups []conversion.PendingGroup, b Brakes) Plan {
	m := making{Brakes: b, help: make(map[time.Duration]int)}
	for _, g := range groups {
		m.plan.Alone += g.Alone
		g.Mails -= g.Alone
		g.Alone = 0
		m.left += g.Mails
		m.groups = append(m.groups, g)
	}
	m.run()
	m.weigh()
	return m.plan
}

// A making is a plan under way.
type making struct {
	Brakes
	plan   Plan
	groups []conversion.PendingGroup // invitations that have not left
	left   int                       // their number
	help   map[time.Duration]int

	date  time.Time // the day, as midnight in UTC
	room  int       // how many may still leave on it
	queue []leaving // those that do not wait for another day, in their order
}

// leaving is how many of a group leave today, if there is room.
type leaving struct {
	*conversion.PendingGroup
	n int
}

func (m *making) run() {
	var next time.Time // when the rate lets the next mail go
	for at := m.From; m.left > 0; at = assistance.Later(at, next) {
		if m.MinHelp > 0 {
			opens, ok := m.Help.Next(at, m.Lifetime, m.MinHelp)
			if !ok {
				m.plan.Never = m.left
				return
			}
			at = opens
		}
		if at.Sub(m.From) > Horizon {
			m.plan.Beyond = m.left
			return
		}
		m.enter(at)
		midnight := midnightAfter(at)
		if m.room == 0 || len(m.queue) == 0 {
			at = midnight
			continue
		}
		closes := m.closes(at, midnight)
		if !closes.After(at) {
			at = minuteAfter(at)
			continue
		}
		n := min(m.waiting(), m.room, m.between(at, closes))
		last := at.Add(time.Duration(n-1) * m.interval())
		m.take(n, at, last)
		at, next = closes, last.Add(m.interval())
	}
}

// interval is the time between two mails.
func (m *making) interval() time.Duration {
	if m.Rate == 0 {
		return 0
	}
	return time.Duration(float64(time.Second) / m.Rate)
}

// between is how many mails the rate lets go from one instant until just before another.
func (m *making) between(from, to time.Time) int {
	interval := m.interval()
	if interval == 0 {
		return math.MaxInt
	}
	return int((to.Sub(from) + interval - 1) / interval)
}

// enter begins the day of an instant, unless it has begun. A day has room of its own,
// and certificates expire at its beginning.
func (m *making) enter(at time.Time) {
	date := dateOf(at)
	if date.Equal(m.date) {
		return
	}
	m.room = math.MaxInt
	if m.PerDay > 0 {
		m.room = m.PerDay
		if date.Equal(dateOf(m.From)) {
			m.room = max(m.PerDay-m.Today, 0)
		}
	}
	m.date = date
	m.line()
}

// line brings what may leave today into its order. An address gets a few mails a day,
// and its other mails wait (D16).
func (m *making) line() {
	m.groups = slices.DeleteFunc(m.groups, func(g conversion.PendingGroup) bool { return g.Mails == 0 })
	slices.SortStableFunc(m.groups, func(x, y conversion.PendingGroup) int {
		return cmp.Or(cmp.Compare(one(y.Released), one(x.Released)), cmp.Compare(x.Priority, y.Priority),
			cmp.Compare(one(x.Expires.Before(m.date)), one(y.Expires.Before(m.date))), x.Expires.Compare(y.Expires))
	})
	m.queue = m.queue[:0]
	had := make(map[int]int)
	for i := range m.groups {
		g := &m.groups[i]
		n := g.Mails
		if g.Address != 0 {
			n = min(n, conversion.MailsPerAddress-had[g.Address])
		}
		if n > 0 && !g.NotBefore.After(m.date) {
			had[g.Address] += n
			m.queue = append(m.queue, leaving{g, n})
		}
	}
}

// waiting is how many may still leave today, if there is room.
func (m *making) waiting() (n int) {
	for _, l := range m.queue {
		n += l.n
	}
	return n
}

// closes is the instant until which a code that starts has enough assistance ahead, at
// most to; at from there is enough. Waiting for an hour costs at most an hour of
// assistance. Within a minute the assistance grows or lessens evenly.
func (m *making) closes(from, to time.Time) time.Time {
	if m.MinHelp == 0 {
		return to
	}
	for at := from; at.Before(to); {
		spare := m.Help.Between(at, at.Add(m.Lifetime)) - m.MinHelp
		if spare < 0 {
			return at
		}
		minute := minuteAfter(at)
		if at.Add(spare).After(minute) {
			at = at.Add(spare)
			continue
		}
		if m.Help.Between(minute, minute.Add(m.Lifetime)) < m.MinHelp {
			return assistance.Earlier(at.Add(spare), to)
		}
		at = minute
	}
	return to
}

// take lets the next n leave, from one instant to another.
func (m *making) take(n int, first, last time.Time) {
	d := m.day(first)
	d.Mails += n
	d.Last = last
	m.room -= n
	m.left -= n
	m.plan.Mails += n
	m.plan.Last = last
	m.sample(n, first, last)
	for n > 0 {
		next := &m.queue[0]
		part := conversion.PendingGroup{Released: next.Released, Priority: next.Priority, Expires: next.Expires, Mails: min(n, next.n)}
		if d.add(part); part.Expires.Before(m.date) {
			d.Late += part.Mails
			m.plan.Late += part.Mails
		}
		n -= part.Mails
		next.Mails -= part.Mails
		if next.n -= part.Mails; next.n == 0 {
			m.queue = m.queue[1:]
		}
	}
}

// day is the present one.
func (m *making) day(at time.Time) *Day {
	if n := len(m.plan.Days); n == 0 || !m.plan.Days[n-1].Date.Equal(m.date) {
		m.plan.Days = append(m.plan.Days, Day{Date: m.date, First: at})
	}
	return &m.plan.Days[len(m.plan.Days)-1]
}

// add joins a part to the one before, if both are of the same group.
func (d *Day) add(part conversion.PendingGroup) {
	if n := len(d.Parts); n > 0 {
		last := &d.Parts[n-1]
		if last.Released == part.Released && last.Priority == part.Priority && last.Expires.Equal(part.Expires) {
			last.Mails += part.Mails
			return
		}
	}
	d.Parts = append(d.Parts, part)
}

// quarter is how often the assistance of mails that leave one after the other is
// sampled.
const quarter = 15 * time.Minute

// sample notes how much assistance the codes of n mails have.
func (m *making) sample(n int, first, last time.Time) {
	looks := int(last.Sub(first)/quarter) + 1
	for i := range looks {
		at := first.Add(time.Duration(i) * quarter)
		share := n / looks
		if i < n%looks {
			share++
		}
		if share > 0 {
			m.help[m.Help.Between(at, at.Add(m.Lifetime))] += share
		}
	}
}

// weigh finds the worst and the median of the assistance.
func (m *making) weigh() {
	below := 0
	for i, length := range slices.Sorted(maps.Keys(m.help)) {
		if i == 0 {
			m.plan.Worst = length
		}
		if below += m.help[length]; 2*below >= m.plan.Mails {
			m.plan.Median = length
			return
		}
	}
}

// dateOf is the day of an instant in Paris, as midnight in UTC.
func dateOf(at time.Time) time.Time {
	y, month, d := at.In(conversion.Paris).Date()
	return time.Date(y, month, d, 0, 0, 0, 0, time.UTC)
}

// midnightAfter is the instant at which the next day begins in Paris.
func midnightAfter(at time.Time) time.Time {
	y, month, d := at.In(conversion.Paris).Date()
	return time.Date(y, month, d+1, 0, 0, 0, 0, conversion.Paris)
}

func minuteAfter(at time.Time) time.Time { return at.Truncate(time.Minute).Add(time.Minute) }

// one is 1 for true, and 0 for false, which comes first.
func one(is bool) int {
	if is {
		return 1
	}
	return 0
}
