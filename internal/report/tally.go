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

// dayColumns are the columns of the table by day. Each counts requests on the day in
// Paris of one of their instants.
var dayColumns = [...]struct {
	title   string
	state   conversion.State
	instant func(*conversion.ReportRequest) time.Time
}{
	{"Demandes ouvertes", conversion.StateRequested, func(r *conversion.ReportRequest) time.Time { return r.RequestedAt }},
	{"Courriels envoyés", conversion.StateMailed, func(r *conversion.ReportRequest) time.Time { return r.MailedAt }},
	{"Espaces activés", conversion.StateActivated, func(r *conversion.ReportRequest) time.Time { return r.ActivatedAt }},
	{"Délais dépassés", conversion.StateExpired, ended(conversion.StateExpired)},
	{"Adresses refusées", conversion.StateUndeliverable, ended(conversion.StateUndeliverable)},
	{"Demandes annulées", conversion.StateCancelled, ended(conversion.StateCancelled)},
}

// charted are the dayColumns of the chart.
var charted = []int{1, 2, 3}

// ended returns the instant at which a request of that state ended.
func ended(s conversion.State) func(*conversion.ReportRequest) time.Time {
	return func(r *conversion.ReportRequest) time.Time {
		if r.State != s {
			return time.Time{}
		}
		return r.EndedAt
	}
}

func (t *tally) add(r *conversion.ReportRequest) {
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

// dayCounts are the counts of one day in Paris.
type dayCounts struct {
	day    int64 // its number in spreadsheets
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

// A period is some days in a row, as the chart shows them.
type period struct {
	name   string
	counts [len(dayColumns)]int
}

// A pitch is the length of periods.
type pitch struct {
	heading string
	unit    string
	start   func(time.Time) time.Time // of the period of a day
	next    func(time.Time) time.Time
	format  string
}

var (
	daily   = pitch{"Jour", "par jour", func(d time.Time) time.Time { return d }, func(d time.Time) time.Time { return d.AddDate(0, 0, 1) }, "02/01"}
	weekly  = pitch{"Semaine du", "par semaine", monday, func(d time.Time) time.Time { return d.AddDate(0, 0, 7) }, "02/01"}
	monthly = pitch{"Mois", "par mois", firstOfMonth, func(d time.Time) time.Time { return d.AddDate(0, 1, 0) }, "01/2006"}
)

func monday(d time.Time) time.Time { return d.AddDate(0, 0, -(int(d.Weekday())+6)%7) }

func firstOfMonth(d time.Time) time.Time {
	return time.Date(d.Year(), d.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// maxPeriods is how many days or weeks a chart shows before periods become longer.
const maxPeriods = 31

// inPeriods adds up days that are in order, without a gap between the first and the
// last. A chart of one day shows that day, one of two hundred days shows weeks.
func inPeriods(days []dayCounts) (p pitch, list []period) {
	if len(days) == 0 {
		return daily, nil
	}
	first, last := dateOf(days[0].day), dateOf(days[len(days)-1].day)
	span := int(last.Sub(first)/(24*time.Hour)) + 1
	switch {
	case span <= maxPeriods:
		p = daily
	case span <= 7*maxPeriods:
		p = weekly
	default:
		p = monthly
	}
	for at := p.start(first); !at.After(last); at = p.next(at) {
		one := period{name: at.Format(p.format)}
		for end := p.next(at); len(days) > 0 && dateOf(days[0].day).Before(end); days = days[1:] {
			for i, n := range days[0].counts {
				one.counts[i] += n
			}
		}
		list = append(list, one)
	}
	return p, list
}

// dateOf is the day with that number in spreadsheets.
func dateOf(number int64) time.Time {
	return time.Date(1899, 12, 30+int(number), 0, 0, 0, 0, time.UTC)
}
