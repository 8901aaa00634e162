package plan_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bascule/internal/assistance"
	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
	"bascule/internal/plan"
	"bascule/sql"
	"bascule/sql/sqltest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// A desk is a database with a campaign.
type desk struct {
	*sqltest.DB
	t    *testing.T
	keys *conversion.Keyring
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// hold hands a sheet of n rows in, of mixed priorities and expiries. Most of those that
// leave first are kept by one firm.
func (d *desk) hold(campaign string, n int) {
	d.t.Helper()
	rows := func(yield func(sql.ImportRow, error) bool) {
		for i := range n {
			number, address := fmt.Sprintf("%07d", i), fmt.Sprintf("a%d@duvallon.example", i)
			if i%3 == 2 && i < 50 {
				address = "cabinet@duvallon.example"
			}
			s := conversion.Space{
				Number: conversion.SubscriberNumber(number), Holder: "Camille Duvallon", Contact: sqltest.Email(d.t, address),
				Certificate: conversion.Certificate{
					Serial: conversion.SerialNumber(fmt.Sprintf("%x", number)), Issuer: "CN=AC des exemples",
					Expires: time.Date(2031, 10, 20+(i*7)%40, 0, 0, 0, 0, time.UTC),
				},
			}
			if !yield(sql.ImportRow{Line: 2 + i, Space: s, Priority: []int{5, 5, 2}[i%3]}, nil) {
				return
			}
		}
	}
	_, err := d.DB.DB.Import(d.t.Context(), sql.Import{
		Hash: sha256.Sum256([]byte(campaign)), FileName: "lot.xlsx", Sheet: "Feuil1", Actor: "admin", Keys: d.keys,
		Columns: sql.Columns{Number: "A", Email: "C", Serial: "D"}, Expect: n, Rows: rows, Campaign: campaign,
	}, nil)
	d.must(err)
}

func (d *desk) exclude(whom string, end time.Time) {
	d.t.Helper()
	x, err := conversion.ParseExcluded(whom)
	d.must(err)
	_, err = d.Exclude(d.t.Context(), sql.Exclusion{Excluded: x, Reason: "asked by phone", EndsAt: end}, "admin")
	d.must(err)
}

// foresee is the plan of a campaign from now on.
func (d *desk) foresee(name string, b plan.Brakes) plan.Plan {
	d.t.Helper()
	p, err := d.Progress(d.t.Context(), name)
	d.must(err)
	pending, err := d.Pending(d.t.Context(), p.Campaign)
	d.must(err)
	b.From, err = d.Now(d.t.Context())
	d.must(err)
	b.PerDay, b.Today, b.MinHelp = p.PerDay, p.StartedToday, p.MinHelp
	return plan.Make(pending, b)
}

// D13, D14, D16: a campaign runs day by day, and hour by hour, as its plan says: over
// holidays, over certificates that die meanwhile, over the night in which the clocks
// change, and past an address that gets five mails a day.
func TestPlanIsKept(t *testing.T) {
	t.Parallel()
	d := &desk{DB: sqltest.Open(t), t: t, keys: sqltest.Keys(t)}
	at := time.Date(2031, 10, 23, 9, 0, 0, 0, conversion.Paris) // a Thursday; the clocks change on Sunday, All Saints is on the next Saturday
	d.Freeze(t, at)
	d.hold("spring", 70)
	d.exclude("0000004", time.Time{})
	d.exclude("a9@duvallon.example", time.Time{})
	d.exclude("0000000", time.Date(2031, 10, 29, 0, 0, 0, 0, conversion.Paris))
	help, err := assistance.Parse("Mon-Fri 08:00-12:00 13:30-19:30")
	d.must(err)
	d.must(d.StartCampaign(d.t.Context(), "spring", sql.CampaignSettings{PerDay: 8, MinHelp: 12 * time.Hour}, "", "admin"))
	// Half an hour lies between two mails: that is how often one starts below.
	p := d.foresee("spring", plan.Brakes{Rate: 1.0 / 1800, Lifetime: lifetime, Help: help})
	if p.Mails != 68 || p.Alone != 2 || p.Late == 0 || p.Late == p.Mails {
		t.Fatalf("the plan is %+v", p)
	}
	var want []string
	for _, day := range p.Days {
		want = append(want, story(day))
	}
	var days []plan.Day
	for ; at.Before(p.Last.AddDate(0, 0, 3)); at = at.Add(30 * time.Minute) {
		d.Freeze(t, at)
		if m := d.next(help); m != nil {
			days = leaves(days, at, m.Expires)
		}
	}
	var got []string
	for _, day := range days {
		got = append(got, story(day))
	}
	if !slices.Equal(got, want) {
		t.Errorf("it went so:\n%s\nthe plan was:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// next releases an invitation and delivers one mail; nil if none may leave. It skips
// subscribers who are left alone.
func (d *desk) next(help sql.Assistance) *sql.Mail {
	d.t.Helper()
	for range 20 {
		_, err := d.Release(d.t.Context(), help, lifetime)
		d.must(err)
		s, err := d.StartMail(d.t.Context(), sql.Window{Lane: sql.LaneBulk, Limit: 1, Lifetime: lifetime, Keys: d.keys})
		d.must(err)
		if s.Found == 0 {
			return nil
		}
		if len(s.Mails) > 0 {
			d.must(d.FinishAccepted(d.t.Context(), s.Mails))
			return s.Mails[0]
		}
	}
	return nil
}

// leaves adds a mail that leaves at an instant.
func leaves(days []plan.Day, at, expires time.Time) []plan.Day {
	y, m, n := at.In(conversion.Paris).Date()
	date := time.Date(y, m, n, 0, 0, 0, 0, time.UTC)
	if len(days) == 0 || !days[len(days)-1].Date.Equal(date) {
		days = append(days, plan.Day{Date: date, First: at})
	}
	day := &days[len(days)-1]
	day.Mails++
	day.Last = at
	if expires.Before(date) {
		day.Late++
	}
	return days
}

func story(d plan.Day) string {
	hour := func(at time.Time) string { return at.In(conversion.Paris).Format("15:04") }
	return fmt.Sprintf("%s: %d, %d late, from %s to %s", d.Date.Format(time.DateOnly), d.Mails, d.Late, hour(d.First), hour(d.Last))
}
