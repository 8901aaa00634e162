package sql_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// whileTold imports and does something at the first telling of the verdicts. It
// returns the verdicts of each telling.
func (d *desk) whileTold(in sql.Import, f func()) (result sql.ImportResult, told []string) {
	d.t.Helper()
	result, err := d.Import(d.ctx, in, func(seq iter.Seq2[sql.Verdict, error]) error {
		var kinds []string
		for v, err := range seq {
			if err != nil {
				return err
			}
			kinds = append(kinds, v.Kind)
		}
		told = append(told, strings.Join(kinds, " "))
		if len(told) == 1 {
			f()
		}
		return nil
	})
	d.must(err)
	return result, told
}

// D9: while its verdicts are written, which takes the longest, an import keeps
// nobody waiting.
func TestVerdictsAreToldWithoutLocks(t *testing.T) {
	t.Parallel()
	d := open(t)
	result, told := d.whileTold(d.changedAndNew(20), func() {
		if n := d.count(`WITH free AS (SELECT id FROM request FOR UPDATE NOWAIT) SELECT count(*) FROM free`); n != 20 {
			t.Errorf("%d requests are free, want 20", n)
		}
		if n := d.count(`WITH free AS (SELECT id FROM space FOR UPDATE NOWAIT) SELECT count(*) FROM free`); n != 20 {
			t.Errorf("%d spaces are free, want 20", n)
		}
	})
	if len(told) != 1 || result.Accepted != 40 {
		t.Errorf("the result is %+v, told %q", result, told)
	}
}

// D9, I2: the last verdicts tell the changes that happened while the first were
// written, and the import stores just these.
func TestVerdictsAreToldAgain(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, p := d.invited("000001", "a@duvallon.example")
	d.invite("000002", "b@duvallon.example")
	in := d.sheet(row("000001", "new@duvallon.example"), row("000002", "b@duvallon.example", holder("Renée Œuvrard")), row("000003", "c@duvallon.example"))
	result, told := d.whileTold(in, func() { d.must(d.activate(p)) })
	if len(told) != 2 || told[0] != "accepted accepted accepted" || told[1] != "unchanged accepted accepted" {
		t.Errorf("told %q", told)
	}
	if result.Accepted != 2 || result.Unchanged != 1 || d.count(`SELECT accepted FROM import ORDER BY id DESC LIMIT 1`) != 2 {
		t.Errorf("the result is %+v", result)
	}
	if got := d.Text(t, `SELECT email FROM space WHERE number = '000001'`); got != "a@duvallon.example" {
		t.Errorf("the identifier is %s", got)
	}
	d.sound()
}

// D9, I4: a subscriber who opts while the verdicts are written has an open request of
// their own. The import leaves it alone.
func TestOptionWhileVerdictsAreTold(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, _ := d.invited("000001", "a@duvallon.example")
	d.expire(request)
	in := d.sheet(row("000001", "a@duvallon.example", holder("Renée Œuvrard")))
	result, told := d.whileTold(in, func() {
		_, err := d.opt("000001", "chosen@duvallon.example")
		d.must(err)
	})
	if fmt.Sprint(told) != "[accepted unchanged]" || result.Unchanged != 1 {
		t.Errorf("the result is %+v, told %q", result, told)
	}
	d.sound()
}

// D9, R4: the certificate holder opts and activates while the verdicts of an import are
// told. The import leaves the switched space alone.
func TestSwitchedWhileVerdictsAreTold(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, _ := d.invited("000001", "a@duvallon.example")
	d.expire(request)
	in := d.sheet(row("000001", "a@duvallon.example", holder("Renée Œuvrard")), row("000002", "b@duvallon.example"))
	result, told := d.whileTold(in, func() {
		_, err := d.opt("000001", "mine@duvallon.example")
		d.must(err)
		d.must(d.activate(d.mail(d.latest("000001"))))
	})
	if fmt.Sprint(told) != "[accepted accepted unchanged accepted]" || result.Unchanged != 1 || result.Accepted != 1 {
		t.Errorf("the result is %+v, told %q", result, told)
	}
	if n := d.count(`SELECT count(*) FROM request r JOIN space s ON s.id = r.space_id WHERE s.number = '000001' AND request_is_open(r)`); n != 0 {
		t.Errorf("the switched space has %d open requests", n)
	}
	d.sound()
}

// D10: the request that an import opens is the latest of its space, although another one
// came and went while the verdicts were told.
func TestEndedWhileVerdictsAreTold(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, _ := d.invited("000001", "a@duvallon.example")
	d.expire(request)
	in := d.sheet(row("000001", "a@duvallon.example", holder("Renée Œuvrard")))
	d.whileTold(in, func() {
		_, err := d.opt("000001", "mine@duvallon.example")
		d.must(err)
		d.must(d.CancelNumber(d.ctx, "000001"))
	})
	if got := d.state(d.latest("000001")); got != conversion.StateRequested {
		t.Errorf("the latest request is %s, want the one that the import opened", got)
	}
	d.sound()
}

// R21: a request that becomes overdue while the verdicts are written is expired
// by the import, which opens the next one.
func TestOverdueWhileVerdictsAreTold(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, _ := d.invited("000001", "a@duvallon.example")
	in := d.sheet(row("000001", "new@duvallon.example"))
	result, _ := d.whileTold(in, func() { d.overdue(request) })
	if result.Accepted != 1 || d.latest("000001") == request {
		t.Errorf("the result is %+v", result)
	}
	if got := d.audit(request); !strings.HasSuffix(got, "expired by admin") {
		t.Errorf("the log of the first request says %q", got)
	}
	d.sound()
}

// D9: PostgreSQL ends an import for the sake of another transaction: each holds what
// the other needs. The import begins to apply again. All is stored in the end, once.
func TestImportAsDeadlockVictim(t *testing.T) {
	t.Parallel()
	d := open(t)
	first, second := d.invite("000001", "a@duvallon.example"), d.invite("000002", "b@duvallon.example")
	in := d.sheet(row("000001", "x@duvallon.example"), row("000002", "y@duvallon.example"), row("000003", "z@duvallon.example"))
	tx, err := d.Raw.BeginTx(d.ctx, nil)
	d.must(err)
	defer tx.Rollback()
	lock := func(request int64) error {
		_, err := tx.Exec(`SELECT id FROM request WHERE id = $1 FOR UPDATE`, request)
		return err
	}
	d.must(lock(second))
	// The one who looks for a deadlock is its victim: the import looks much sooner.
	_, err = tx.Exec(`SET LOCAL deadlock_timeout = '1h'`)
	d.must(err)
	var wg sync.WaitGroup
	wg.Go(func() {
		d.until(`SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`)
		if err := errors.Join(lock(first), tx.Commit()); err != nil {
			t.Error(err)
		}
	})
	result, told := d.whileTold(in, func() {})
	wg.Wait()
	if result.Accepted != 3 || len(told) < 2 {
		t.Errorf("the result is %+v, told %q", result, told)
	}
	d.sound()
}

// until waits for a query to select true.
func (d *desk) until(query string) {
	d.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if d.Text(d.t, query) == "true" {
			return
		}
	}
	d.t.Error("never: " + query)
}

// I8, I9: minutes may pass from one statement of a transaction to the next, as with a
// million rows. Each writes what it does at its own present.
func TestMinutesBetweenStatements(t *testing.T) {
	t.Parallel()
	d := open(t)
	from := func(ahead string) {
		d.Exec(t, `DO $$ BEGIN EXECUTE format('CREATE OR REPLACE FUNCTION bascule_now() RETURNS timestamptz LANGUAGE sql VOLATILE
			RETURN clock_timestamp() + interval %L + 1000000 * (statement_timestamp() - %L::timestamptz)', '`+ahead+`', clock_timestamp()); END $$`)
	}
	from("0 s")
	if got := d.kinds(row("000001", "a@duvallon.example"), row("000002", "b@duvallon.example"), row("000003", "c@duvallon.example"), row("000004", "d@duvallon.example")); got != "accepted accepted accepted accepted" {
		t.Fatal(got)
	}
	cancel := func(number conversion.SubscriberNumber) {
		plan, err := d.PlanCancel(d.ctx, []conversion.SubscriberNumber{number})
		d.must(err)
		_, err = d.Cancel(d.ctx, plan, "admin")
		d.must(err)
	}
	d.deliver()
	cancel("000001")
	d.exclude("d@duvallon.example")
	from("5 days") // the codes have expired, and nobody has seen it yet
	if got := d.kinds(
		row("000001", "a@duvallon.example", holder("again")),
		row("000002", "other@duvallon.example"),
		row("000003", "c@duvallon.example", holder("other")),
		row("000004", "d@duvallon.example", holder("other")),
		row("000005", "e@duvallon.example"),
	); got != "accepted accepted accepted excluded accepted" {
		t.Fatal(got)
	}
	cancel("000002")
	plan, err := d.PlanRetry(d.ctx, sql.RetryScope{Numbers: []conversion.SubscriberNumber{"000002"}})
	d.must(err)
	if n, err := d.DB.DB.Retry(d.ctx, plan, d.keys, "admin"); err != nil || n != 1 {
		t.Errorf("%d requests are opened again: %v", n, err)
	}
	d.must(d.lift("d@duvallon.example"))
	if n, err := d.Reissue(d.ctx, d.keys.Newest(), otherKeys(t), "admin"); err != nil || n == 0 {
		t.Errorf("%d codes are replaced: %v", n, err)
	}
	_, err = d.CancelCampaign(d.ctx, "lot", "a mistake", "admin")
	d.must(err)
	d.sound()
}
