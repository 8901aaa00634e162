package sql_test

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"bascule/sql"
)

// changedAndNew is a sheet of which half the rows change known spaces, by
// another address or another holder, and half are new ones.
func (d *desk) changedAndNew(n int) sql.Import {
	var known, rows []sql.ImportRow
	for i := range n {
		number := fmt.Sprintf("%06d", i)
		known = append(known, row(number, fmt.Sprintf("old%d@duvallon.example", i)))
		rows = append(rows, row(number, fmt.Sprintf("%s%d@duvallon.example", [2]string{"old", "new"}[i%2], i), holder("Renée Œuvrard")))
	}
	d.run(d.sheet(known...))
	for i := range n {
		rows = append(rows, row(fmt.Sprintf("9%06d", i), fmt.Sprintf("first%d@duvallon.example", i)))
	}
	return d.sheet(rows...)
}

// D9: a dry run judges, and stops there. It leaves no dead row, next to nothing
// in the write-ahead log, and its counts and verdicts are the real run's.
func TestDryRunWritesNothing(t *testing.T) {
	d := open(t)
	in := d.changedAndNew(1000)
	size := func() int {
		return d.count(`SELECT sum(pg_relation_size(c.oid)) FROM pg_class c WHERE c.relkind IN ('r', 'i') AND c.relnamespace = 'public'::regnamespace`)
	}
	wal := func(from string) int { return d.count(`SELECT pg_current_wal_lsn() - $1::pg_lsn`, from) }
	d.Exec(t, `CHECKPOINT`)
	sizeBefore, from, dump := size(), d.Text(t, `SELECT pg_current_wal_lsn()`), d.Dump(t)

	in.DryRun = true
	dry, dryVerdicts := d.run(in)
	if grown := size() - sizeBefore; grown != 0 {
		t.Errorf("the tables grew by %d bytes", grown)
	}
	if n := wal(from); n > 512<<10 {
		t.Errorf("the dry run of %d rows wrote %d bytes of write-ahead log", in.Expect, n)
	}
	if d.Dump(t) != dump {
		t.Error("something was stored")
	}

	in.DryRun = false
	real, realVerdicts := d.run(in)
	if dry.Batch = real.Batch; dry != real || real.Accepted != 2000 {
		t.Errorf("the dry run tells %+v, the real one %+v", dry, real)
	}
	if !slices.Equal(dryVerdicts, realVerdicts) {
		t.Error("the verdicts differ")
	}
	d.sound()
}

// D9: nobody waits for a dry run, neither subscribers nor another import.
func TestDryRunLocksNothing(t *testing.T) {
	t.Parallel()
	d := open(t)
	in := d.changedAndNew(50)
	in.DryRun = true
	other := d.sheet(row("000001", "other@duvallon.example"))
	_, err := d.Import(d.ctx, in, func(iter.Seq2[sql.Verdict, error]) error {
		if n := d.count(`WITH free AS (SELECT id FROM request FOR UPDATE NOWAIT) SELECT count(*) FROM free`); n != 50 {
			t.Errorf("%d requests are free, want 50", n)
		}
		d.count(`WITH free AS (SELECT id FROM space FOR UPDATE NOWAIT) SELECT count(*) FROM free`)
		if n := d.count(writers); n != 0 {
			t.Errorf("the dry run holds %d locks of a writer", n)
		}
		if r, err := d.Import(d.ctx, other, nil); err != nil || r.Accepted != 1 {
			t.Errorf("an import meanwhile: %+v, %v", r, err)
		}
		return nil
	})
	d.must(err)
}

// writers counts the locks on the product's tables, and the advisory ones, that a reader has not.
const writers = `SELECT count(*) FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation
	WHERE l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
	  AND (l.locktype = 'advisory' OR c.relnamespace = 'public'::regnamespace AND l.mode <> 'AccessShareLock')`

// D9, R21: a request that is overdue and not swept yet is judged as expired, though a
// dry run cannot expire it.
func TestDryRunOfOverdueRequests(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "a@duvallon.example")
	_, err := d.opt("000001", "chosen@duvallon.example")
	d.must(err)
	d.mail(request)
	in := d.sheet(row("000001", "b@duvallon.example"))
	in.DryRun = true
	if _, verdicts := d.run(in); kindsOf(verdicts) != "unchanged" {
		t.Errorf("while the subscriber's own request is open: %+v", verdicts)
	}
	d.Shift(t, 48*time.Hour+time.Minute)
	if _, verdicts := d.run(in); kindsOf(verdicts) != "accepted" {
		t.Errorf("once it is overdue: %+v", verdicts)
	}
	in.DryRun = false
	if _, verdicts := d.run(in); kindsOf(verdicts) != "accepted" || d.latest("000001") == request {
		t.Errorf("in the real run: %+v", verdicts)
	}
	d.sound()
}
