package sql_test

import (
	"sync"
	"testing"

	"bascule/sql"
	"bascule/sql/sqltest"
)

// D9: a correction waits for an import that renews a certificate, and then changes nothing but
// the address.
func TestCorrectionAfterImport(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("spring", row("000001", "a@duvallon.example", serial("01")))
	tx := d.holdImports()
	var both sync.WaitGroup
	both.Go(func() { d.held("spring", row("000001", "a@duvallon.example", serial("02"), holder("Anne Noël"))) })
	d.waiting(1)
	var verdict sql.Verdict
	both.Go(func() {
		var err error
		verdict, _, err = d.Correct(d.ctx, sql.Correction{Number: "000001", Email: sqltest.Email(t, "b@duvallon.example"), Reason: "call 12", Actor: "admin", Keys: d.keys})
		d.must(err)
	})
	d.waiting(2)
	d.must(tx.Rollback())
	both.Wait()
	if got := d.Text(t, `SELECT concat_ws(' ', contact_email, serial, holder) FROM space`); got != "b@duvallon.example 02 Anne Noël" || verdict.Kind != "accepted" {
		t.Errorf("the space is %s, the verdict %+v", got, verdict)
	}
	d.sound()
}
