package report

import (
	"cmp"
	"slices"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/workbook"
)

// A tally counts the requests that are listed, for the summary.
type tally struct {
	states       map[conversion.State]int
	notDelivered int // expired requests whose code sat in a queue until it was dead (D11)
	days         map[int64]*[len(dayColumns)]int
}

// dayColumns are the columns of the table by day, and the lines of its chart. What
// is counted of a request counts on the day in Paris of its instant, if it has one.
var dayColumns = [...]struct {
	title   string
	state   conversion.State
	instant func(*Request) time.Time
}{
	{"Demandes", conversion.StateRequested, func(r *Request) time.Time { return r.RequestedAt }},
	{"Courriels envoyés", conversion.StateMailed, func(r *Request) time.Time { return r.MailedAt }},
	{"Activations", conversion.StateActivated, func(r *Request) time.Time { return r.ActivatedAt }},
	{"Expirations", conversion.StateExpired, ended(conversion.StateExpired)},
	{"Adresses refusées", conversion.StateUndeliverable, ended(conversion.StateUndeliverable)},
	{"Annulations", conversion.StateCancelled, ended(conversion.StateCancelled)},
}

// ended is when a request of that state ended.
func ended(s conversion.State) func(*Request) time.Time {
	return func(r *Request) time.Time {
		if r.State != s {
			return time.Time{}
		}
		return r.EndedAt
	}
}

func newTally() *tally {
	return &tally{states: make(map[conversion.State]int), days: make(map[int64]*[len(dayColumns)]int)}
}

func (t *tally) add(r *Request) {
	t.states[r.State]++
	if r.NotDelivered {
		t.notDelivered++
	}
	for i := range dayColumns {
		at := dayColumns[i].instant(r)
		if at.IsZero() {
			continue
		}
		day := workbook.DayNumber(at.In(conversion.Paris))
		counts := t.days[day]
		if counts == nil {
			counts = new([len(dayColumns)]int)
			t.days[day] = counts
		}
		counts[i]++
	}
}

// dayCounts is what happened on one day in Paris.
type dayCounts struct {
	day    int64 // as spreadsheets call it
	counts [len(dayColumns)]int
}

func (t *tally) byDay() []dayCounts {
	var list []dayCounts
	for day, counts := range t.days {
		list = append(list, dayCounts{day, *counts})
	}
	slices.SortFunc(list, func(a, b dayCounts) int { return cmp.Compare(a.day, b.day) })
	return list
}
