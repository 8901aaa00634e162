package sql_test

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// explained has new sessions log the plan of each statement that they run, those of
// triggers and functions too, with the rows that each step of the plan looked at.
func (d *desk) explained() {
	d.t.Helper()
	for _, setting := range []string{"session_preload_libraries = auto_explain", "auto_explain.log_min_duration = 0", "auto_explain.log_nested_statements = on",
		"auto_explain.log_analyze = on", "auto_explain.log_timing = off"} {
		d.Exec(d.t, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET `+setting+`', current_database()); END $$`)
	}
}

// logged is what follows of the server's log after so many bytes.
func (d *desk) logged(after int) string {
	return d.Text(d.t, `SELECT convert_from(pg_read_binary_file(log, $1, (pg_stat_file(log)).size - $1), 'UTF8') FROM (VALUES ('../postgres.log')) AS l (log)`, after)
}

// step is a step of a plan, and what it left out: rows for each loop.
var step = regexp.MustCompile(`\(actual rows=(\d+) loops=(\d+)\)|Rows Removed by .*: (\d+)`)

// lookedAt runs f with a pool of its own, and returns the most rows that a step of a plan
// looked at meanwhile, with the statement. It finds what pages do not tell: a statement
// that compares each of the rows that it has in memory with all of them.
func (d *desk) lookedAt(f func(d *desk)) (most int, statement string) {
	d.t.Helper()
	before := d.count(`SELECT size FROM pg_stat_file('../postgres.log')`)
	db, err := sql.Open(d.ctx, sqltest.As(d.t, d.URL, sqltest.Application), 1)
	d.must(err)
	other := *d
	other.DB = &sqltest.DB{DB: db, URL: d.URL, Raw: d.Raw}
	f(&other)
	d.must(db.Close())
	for _, plan := range strings.Split(d.logged(before), "Query Text: ")[1:] {
		loops := 1
		for _, m := range step.FindAllStringSubmatch(plan, -1) {
			rows, err := strconv.Atoi(m[1] + m[3])
			d.must(err)
			if m[2] != "" {
				loops, err = strconv.Atoi(m[2])
				d.must(err)
			}
			if rows*loops > most {
				most, statement = rows*loops, plan
			}
		}
	}
	return most, statement
}

// withoutStatistics lets the planner know nothing of any table.
const withoutStatistics = `DELETE FROM pg_statistic; UPDATE pg_class SET relpages = 0, reltuples = -1, relallvisible = 0 WHERE relkind = 'r'`

// fillFirms makes a campaign of n open requests; eight spaces share an address. They have
// no codes.
func (d *desk) fillFirms(n int) {
	d.t.Helper()
	d.Exec(d.t, `
		WITH spaces AS (
			INSERT INTO space (number, holder, contact_email, contact_key, serial, issuer, certificate_expires, contents)
			SELECT 'F' || i, 'Camille Duvallon', i / 8 || '@firm.example', i / 8 || '@firm.example', to_hex(i), '', '2099-01-01', gen_random_uuid()
			FROM generate_series(0, $1::int - 1) i
			RETURNING id
		), campaign AS (
			INSERT INTO campaign (name, created_at) VALUES ('firms', bascule_now()) RETURNING id
		)
		INSERT INTO request (space_id, campaign_id, origin, requested_at)
		SELECT s.id, c.id, 'import', bascule_now() FROM spaces s, campaign c`, n)
}

// I8: what changes many requests at once looks at each row a bounded number of times,
// without statistics.
func TestRowsAreLookedAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.noAutovacuum()
	d.explained()
	const firms = 10_000 // with fewer, any plan is good
	d.fillFirms(firms)
	const rows, most = 500, 30 // times that a step looks at a row: its space has had a dozen entries in the audit log
	list := func(name, address string) (list []sql.ImportRow) {
		for i := range rows {
			list = append(list, row(fmt.Sprintf("%06d", i), fmt.Sprintf("%s%d@a.example", address, i/5), holder(name)))
		}
		return list
	}
	accepted := func(list []sql.ImportRow) func(d *desk) error {
		return func(d *desk) error {
			d.RequireFourEyes(rows)
			result, err := d.DB.DB.Import(d.ctx, d.sheet(list...), nil)
			if err == nil && result.Accepted != rows {
				err = fmt.Errorf("%+v", result)
			}
			return err
		}
	}
	exactly := func(n int64, err error) error {
		if err == nil && n != rows {
			err = fmt.Errorf("%d, want %d", n, rows)
		}
		return err
	}
	numbers := func() (numbers []conversion.SubscriberNumber) {
		for _, r := range list("", "") {
			numbers = append(numbers, r.Space.Number)
		}
		return numbers
	}
	domain, err := conversion.ParseExcluded("a.example")
	d.must(err)
	exclude := func(d *desk) error {
		n, err := d.Exclude(d.ctx, sql.Exclusion{Excluded: domain, Reason: "asked by phone"}, "admin")
		return exactly(int64(n), err)
	}
	excludeAll := func(kind conversion.ExcludedKind, key, reason string) func(d *desk) error {
		var list []sql.Exclusion
		for i := range rows {
			list = append(list, sql.Exclusion{Excluded: conversion.Excluded{Kind: kind, Key: fmt.Sprintf(key, i)}, Reason: reason})
		}
		return func(d *desk) error {
			n, err := d.ExcludeAll(d.ctx, list, "admin", false)
			return exactly(int64(n.New+n.Changed), err)
		}
	}
	for _, c := range []struct {
		name string
		act  func(d *desk) error
	}{
		{"new", accepted(list("First", "a"))},
		{"the same", func(d *desk) error {
			result, err := d.DB.DB.Import(d.ctx, d.sheet(list("First", "a")...), nil)
			return exactly(int64(result.Unchanged), err)
		}},
		{"changed", accepted(list("Second", "a"))},
		{"another address", accepted(list("Second", "b"))},
		{"shared addresses", func(d *desk) error {
			c, err := d.Campaign(d.ctx, "firms")
			n := 0
			for _, e := range d.SharedSpaces(d.ctx, c, 2) {
				err, n = errors.Join(err, e), n+1
			}
			if err == nil && n != firms {
				err = fmt.Errorf("%d, want %d", n, firms)
			}
			return err
		}},
		{"exclude", exclude},
		{"exclude again", exclude},
		{"lift", func(d *desk) error {
			n, err := d.DB.DB.Lift(d.ctx, domain, "a mistake", "admin")
			return exactly(int64(n), err)
		}},
		{"exclude numbers", excludeAll(conversion.ExcludedNumber, "F%d", "asked by phone")},
		{"exclude the numbers again", excludeAll(conversion.ExcludedNumber, "F%d", "asked by mail")},
		{"exclude addresses", excludeAll(conversion.ExcludedAddress, "%d@firm.example", "asked by phone")},
		{"exclude domains", excludeAll(conversion.ExcludedDomain, "%d.example", "asked by phone")},
		{"cancel", func(d *desk) error {
			plan, err := d.PlanCancel(d.ctx, numbers())
			d.must(err)
			return exactly(d.Cancel(d.ctx, plan, "admin"))
		}},
		{"open again", accepted(list("Third", "b"))},
		{"cancel a campaign", func(d *desk) error { return exactly(d.CancelCampaign(d.ctx, "lot", "a mistake", "admin")) }},
		{"open in another campaign", accepted(list("Fourth", "b"))},
		{"mail", func(d *desk) error {
			d.launch("lot 2", sql.CampaignSettings{})
			return exactly(int64(d.deliver()), nil)
		}},
		{"expire", func(d *desk) error {
			d.Shift(t, conversion.DefaultCodeLifetime)
			swept, err := d.Sweep(d.ctx, rows)
			return exactly(int64(swept.Done), err)
		}},
		{"retry", func(d *desk) error {
			plan, err := d.PlanRetry(d.ctx, sql.RetryScope{Campaign: "lot 2"})
			d.must(err)
			return exactly(d.DB.DB.Retry(d.ctx, plan, d.keys, "admin"))
		}},
	} {
		d.Exec(t, withoutStatistics)
		n, statement := d.lookedAt(func(d *desk) {
			if err := c.act(d); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		})
		if n > most*rows {
			t.Errorf("%s: a step looks at %d rows, %d at the most: %s", c.name, n, most*rows, statement)
		}
	}
}
