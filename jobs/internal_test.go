package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"bascule/sql"
	"bascule/sql/sqltest"
)

// failing is what PostgreSQL answers with a SQLSTATE.
func failing(t *testing.T, state string) error {
	t.Helper()
	_, err := sqltest.Open(t).Raw.Exec(`DO $$ BEGIN RAISE 'in a test' USING ERRCODE = '` + state + `'; END $$`)
	if err == nil {
		t.Fatal("no error")
	}
	return err
}

// A failure is told while it is tried again, and the reason in the end is the
// statement's own: that a worker stopped explains nothing to an operator.
func TestPersistTellsTheReason(t *testing.T) {
	full := failing(t, "53100")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var told []error
	err := persist(ctx, func(err error) { told = append(told, err) }, func(ctx context.Context) error {
		if len(told) < 2 {
			return full
		}
		cancel()
		return fmt.Errorf("finish: %w", ctx.Err())
	})
	if !errors.Is(err, full) || len(told) != 2 || !errors.Is(told[0], full) {
		t.Errorf("ended with %v, told %v", err, told)
	}
}

// What stays an error is given up at once; rows that have none are recorded all
// the same, and rows that somebody holds wait.
func TestPersistApart(t *testing.T) {
	never := failing(t, "23514")
	var recorded, tries []int
	all := writeAll([]int{1, 2, 3, 4}, func(_ context.Context, items []int) error {
		tries = append(tries, len(items))
		switch {
		case len(items) > 1 || items[0] == 2:
			return never
		case items[0] == 3:
			return sql.ErrHeld
		}
		recorded = append(recorded, items...)
		return nil
	})
	held, lost, err := persistApart(t.Context(), func(err error) { t.Errorf("tried again after %v", err) }, all[0])
	if fmt.Sprint(recorded) != "[1 4]" || len(held) != 1 || held[0].count != 1 || lost != 1 || !errors.Is(err, never) {
		t.Errorf("recorded %v, %d held, %d lost: %v", recorded, len(held), lost, err)
	}
	if fmt.Sprint(tries) != "[4 1 1 1 1]" {
		t.Errorf("tried sets of %v", tries)
	}
}

// I5: a worker that could record nothing of a window is stuck, also where somebody
// held the requests until the lease was over.
func TestHeldIsNotRecorded(t *testing.T) {
	never := failing(t, "23514")
	for _, c := range []struct {
		name  string
		ends  []error // of the first try and of the one after the lease
		stuck bool
	}{
		{"held until the end", []error{sql.ErrHeld, sql.ErrHeld}, true},
		{"held, then recorded", []error{sql.ErrHeld, nil}, false},
		{"never recorded", []error{never}, true},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := &recorder{w: &window{Mailer: &Mailer{Now: time.Now, Log: slog.New(slog.DiscardHandler)}}, out: ctx,
			in: make(chan result), done: make(chan struct{})}
		close(r.done)
		r.write(writeAll([]int{1}, func(context.Context, []int) (err error) {
			err, c.ends = c.ends[0], c.ends[1:]
			return err
		}))
		if c.name == "held until the end" {
			cancel()
		}
		r.write(r.waiting)
		if stuck := r.close(); stuck != c.stuck || len(r.waiting) != 0 {
			t.Errorf("%s: stuck %v, want %v; %d wait", c.name, stuck, c.stuck, len(r.waiting))
		}
	}
}

// D4: a window grows while it is done in no time, up to its bound, and shrinks
// when it takes too long, so that a deadline begins shortly before its mail.
func TestPace(t *testing.T) {
	p := pace{size: firstWindow, max: maxWindow}
	for _, c := range []struct{ ms, want int }{{249, 8}, {0, 16}, {250, 16}, {1000, 16}, {1001, 8}, {0, 16}, {0, 32}, {0, 64}, {0, 64}, {5000, 32}} {
		if p.adapt(ms(c.ms)); p.size != c.want {
			t.Errorf("after %d ms: %d, want %d", c.ms, p.size, c.want)
		}
	}
	p.size = 1
	if p.adapt(ms(5000)); p.size != 1 {
		t.Errorf("a window of %d mails", p.size)
	}
}

// ms is a duration in milliseconds.
func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
