package sql_test

import (
	"fmt"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// picture is what a report tells of a scope, in one snapshot.
type picture struct {
	rows     conversion.ReportRows
	spaces   map[string][]conversion.ReportSpaces // by kind
	states   map[conversion.State]int
	rejected []string // the numbers
}

func (d *desk) picture(of sql.Scope) picture {
	d.t.Helper()
	p := picture{spaces: make(map[string][]conversion.ReportSpaces), states: make(map[conversion.State]int)}
	d.must(d.ReadReport(d.ctx, of, func(r conversion.Report) error {
		p.rows = r.Rows
		for s, err := range r.Spaces {
			d.must(err)
			p.spaces[s.Kind] = append(p.spaces[s.Kind], s)
		}
		for q, err := range r.Requests {
			d.must(err)
			p.states[q.State]++
		}
		for x, err := range r.Rejected {
			d.must(err)
			p.rejected = append(p.rejected, x.Number)
		}
		return nil
	}))
	return p
}

// all is the group of all spaces.
func (d *desk) all(p picture) conversion.ReportSpaces {
	d.t.Helper()
	if n := len(p.spaces[conversion.AllSpaces]); n != 1 {
		d.t.Fatalf("%d groups of all spaces", n)
	}
	return p.spaces[conversion.AllSpaces][0]
}

// C8, D12: a list of 200 rows that is corrected twice is 200 spaces, and none of its
// rows is refused in the end; the report tells what status and the campaign tell.
func TestReportOfAListCorrectedTwice(t *testing.T) {
	t.Parallel()
	d := open(t)
	list := func(wrong int) []sql.ImportRow {
		rows := make([]sql.ImportRow, 200)
		for i := range rows {
			number := fmt.Sprintf("%06d", i+1)
			rows[i] = row(number, fmt.Sprintf("a%d@duvallon%d.example", i, i%30))
			switch {
			case i < wrong && i%5 == 0:
				rows[i] = malformed("") // the number is to correct
			case i < wrong && i%5 == 1:
				rows[i] = malformed("9" + number) // it is another one
			case i < wrong:
				rows[i] = malformed(number)
			}
		}
		return rows
	}
	refused := []int{60, 15, 0}
	for round, wrong := range refused {
		in := d.sheet(list(wrong)...)
		in.Corrected = round > 0
		if result, _ := d.run(in); result.Rejected != wrong {
			t.Fatalf("round %d: %+v", round, result)
		}
		p := d.picture(sql.Scope{Campaign: "lot"})
		if n := len(p.rejected); n != wrong || p.rows.StillRejected != wrong {
			t.Errorf("round %d: %d rows are still refused, %d in the count, want %d", round, n, p.rows.StillRejected, wrong)
		}
		if got := d.all(p).Spaces; got != 200-wrong {
			t.Errorf("round %d: %d spaces, want %d", round, got, 200-wrong)
		}
	}
	for i := range 3 {
		d.mail(d.latest(fmt.Sprintf("%06d", i+1)))
	}
	d.must(d.activate(d.mail(d.latest("000004"))))
	p := d.picture(sql.Scope{Campaign: "lot"})
	progress, err := d.Progress(d.ctx, "lot")
	d.must(err)
	if want := (conversion.ReportRows{Files: 3, Rows: progress.Rows, Taken: 525, Refused: 75}); p.rows != want || p.rows.Rows != 600 {
		t.Errorf("rows %+v, want %+v", p.rows, want)
	}
	d.agree(p, progress.States(), progress.Spaces)
	for batch := range int64(3) {
		s, err := d.Status(d.ctx, batch)
		d.must(err)
		d.agree(d.picture(sql.Scope{Batch: batch}), s.States(), s.Spaces)
	}
	if _, err := d.Campaign(d.ctx, "another"); err == nil || d.ReadReport(d.ctx, sql.Scope{Campaign: "another"}, nil) == nil {
		t.Error("a report of an unknown campaign is made")
	}
}

// agree tells where a report and what counts otherwise differ.
func (d *desk) agree(p picture, states map[conversion.State]int, spaces map[conversion.Access]int) {
	d.t.Helper()
	for _, s := range conversion.States() {
		if p.states[s] != states[s] {
			d.t.Errorf("%d requests are %s in the report, %d elsewhere", p.states[s], s, states[s])
		}
	}
	all := d.all(p)
	if all.Switched != spaces[conversion.AccessPassword] || all.Spaces-all.Switched != spaces[conversion.AccessCertificate] {
		d.t.Errorf("the report has %+v, elsewhere there are %v", all, spaces)
	}
	for kind, groups := range p.spaces {
		var sum conversion.ReportSpaces
		for _, g := range groups {
			if g.Switched+g.ToInvite+g.Open+g.Late+g.Unreachable+g.Cancelled != g.Spaces || g.Invited > g.Spaces || g.Invited < g.Switched {
				d.t.Errorf("%s: a space counts twice, or not: %+v", kind, g)
			}
			sum.Spaces, sum.Invited, sum.Switched, sum.Open = sum.Spaces+g.Spaces, sum.Invited+g.Invited, sum.Switched+g.Switched, sum.Open+g.Open
		}
		if want := (conversion.ReportSpaces{Spaces: all.Spaces, Invited: all.Invited, Switched: all.Switched, Open: all.Open}); sum != want {
			d.t.Errorf("the groups by %q add up to %+v, all are %+v", kind, sum, want)
		}
	}
}

// C8: each space counts once, as it stands.
func TestReportCountsSpaces(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Freeze(t, time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC))
	april := expires(time.Date(2027, 4, 30, 0, 0, 0, 0, time.UTC))
	for i, domain := range []string{"a", "a", "a", "b", "b", "c", "c", "c"} {
		d.kinds(row(fmt.Sprintf("%06d", i+1), fmt.Sprintf("x%d@%s.example", i, domain), april))
	}
	d.mail(d.latest("000001")) // out of time, and invited again
	d.mail(d.latest("000002")) // out of time
	d.mail(d.latest("000003")) // its mail came back
	d.Exec(t, `UPDATE code SET bounce = 'gone', bounced_at = bascule_now() WHERE request_id = $1`, d.latest("000003"))
	d.mail(d.latest("000008")) // its mail was late, and the code out of time
	d.Exec(t, `UPDATE code SET bounce = 'late', bounced_at = bascule_now() WHERE request_id = $1`, d.latest("000008"))
	d.Freeze(t, time.Date(2027, 3, 5, 9, 0, 0, 0, time.UTC))
	plan, err := d.PlanRetry(d.ctx, sql.RetryScope{Numbers: []conversion.SubscriberNumber{"000001"}})
	d.must(err)
	_, err = d.Retry(d.ctx, plan, d.keys, "admin")
	d.must(err)
	d.mail(d.latest("000004")) // waits for its subscriber
	d.must(d.activate(d.mail(d.latest("000005"))))
	_, err = d.choose(d.mail(d.latest("000006")), "chosen@d.example") // waits for the code of another address
	d.must(err)
	p := d.picture(sql.Scope{})
	want := conversion.ReportSpaces{Month: time.Unix(0, 0), Spaces: 8, Invited: 7, Switched: 1, ToInvite: 3, Open: 1, Late: 1, Unreachable: 2}
	got := d.all(p)
	if got.Month = want.Month; got != want {
		t.Errorf("all: %+v, want %+v", got, want)
	}
	var names string
	for _, g := range p.spaces[conversion.SpacesByDomain] {
		names += fmt.Sprintf("%s %d/%d, ", g.Name, g.Switched, g.Spaces)
	}
	if names != "a.example 0/3, c.example 0/3, b.example 1/2, " {
		t.Errorf("by domain: %s", names)
	}
	if m := p.spaces[conversion.SpacesByMonth]; len(m) != 1 || m[0].Month.Format(time.DateOnly) != "2027-04-01" || m[0].Spaces != 8 {
		t.Errorf("by month: %+v", m)
	}
}
