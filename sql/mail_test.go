package sql_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"bascule/sql"
)

// C2: what became due only now is shared evenly by three workers, whoever asks
// first and however much it asks for; a second later nobody waits for a worker
// that may be dead.
func TestShare(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i := range 30 {
		d.invite(fmt.Sprintf("00000%d", 10+i), fmt.Sprintf("contact%d@duvallon.example", i))
	}
	now, err := d.Now(d.ctx)
	d.must(err)
	d.Freeze(t, now)
	d.Exec(t, `UPDATE obligation SET due_at = bascule_now()`)
	claim := func(rank int) int {
		mails, err := d.ClaimMail(d.ctx, sql.LaneBulk, 100, uuid.NewString(), nil, sql.Share{Rank: rank, Of: 3})
		d.must(err)
		return len(mails)
	}
	if first, again, second := claim(0), claim(0), claim(1); first != 10 || again != 0 || second != 10 {
		t.Errorf("%d, %d and %d mails, want 10, none and 10", first, again, second)
	}
	d.Freeze(t, now.Add(time.Second))
	if n := claim(0); n != 10 {
		t.Errorf("%d mails of a worker that does not come, want 10", n)
	}
}
