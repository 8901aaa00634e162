package sql_test

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// R31: no session opened with the old password outlives a change of it, by a mailed
// code or in the space, in either order.
func TestNewPasswordEndsSessionsUnderWay(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*desk, sql.Identifier) error{
		"mailed code": func(d *desk, i sql.Identifier) error {
			return d.UseReset(d.ctx, sql.Reset{RequestID: i.RequestID, Generation: 2}, "$new")
		},
		"in the space": func(d *desk, i sql.Identifier) error {
			s, err := d.SpaceOfSession(d.ctx, token("own"))
			if err != nil {
				return err
			}
			return d.ChangePassword(d.ctx, s, "$new", token("own"))
		},
	} {
		t.Run("entered before the change, "+name, func(t *testing.T) {
			d, i := entered(t)
			release := d.hold(`SELECT id FROM space FOR SHARE`)
			changed := later(func() error { return change(d, i) })
			d.waiting(1)
			d.must(d.EnterSpace(d.ctx, i, token("old")))
			release()
			d.must(<-changed)
			d.over("old")
		})
		t.Run("entering at the change, "+name, func(t *testing.T) {
			d, i := entered(t)
			release := d.hold(`INSERT INTO session SELECT $1, space_id, scope, expires_at FROM session`, sum("old"))
			entering := later(func() error { return d.EnterSpace(d.ctx, i, token("old")) })
			d.waiting(1)
			changed := later(func() error { return change(d, i) })
			d.waiting(2)
			release()
			d.must(<-entering)
			d.must(<-changed)
			d.over("old")
		})
		t.Run("entering after the change, "+name, func(t *testing.T) {
			d, i := entered(t)
			d.must(d.EnterSpace(d.ctx, i, token("other")))
			release := d.hold(`SELECT space_id FROM session WHERE token_hash = $1 FOR UPDATE`, sum("other"))
			changed := later(func() error { return change(d, i) })
			d.waiting(1)
			entering := later(func() error { return d.EnterSpace(d.ctx, i, token("old")) })
			d.waiting(2)
			release()
			d.must(<-changed)
			if err := <-entering; !errors.Is(err, conversion.ErrNotFound) {
				t.Errorf("entered with the old password: %v", err)
			}
			d.over("old")
		})
	}
}

// R6, R31: address and answer were right, and the owner changes them before they have
// led to anything. Then they open no session and no code.
func TestOwnerChangesUnderWay(t *testing.T) {
	t.Parallel()
	changeQuestion := func(d *desk) error {
		s, err := d.SpaceOfSession(d.ctx, token("own"))
		d.must(err)
		return d.ChangeQuestion(d.ctx, s, "livre", "$new")
	}
	noReset := func(t *testing.T, d *desk) {
		t.Helper()
		if n := d.count(`SELECT count(*) FROM code WHERE purpose = 'reset' AND void_at IS NULL`); n != 0 {
			t.Errorf("%d codes for a new password are good", n)
		}
	}
	t.Run("another address, then a session", func(t *testing.T) {
		d, i := entered(t)
		d.moves("new@duvallon.example")
		if err := d.EnterSpace(d.ctx, i, token("old")); !errors.Is(err, conversion.ErrNotFound) {
			t.Errorf("entered with the old address: %v", err)
		}
	})
	t.Run("another address, then a code", func(t *testing.T) {
		d, i := entered(t)
		d.moves("new@duvallon.example")
		if err := d.AskReset(d.ctx, i, d.keys); !errors.Is(err, conversion.ErrNotFound) {
			t.Errorf("asked with the old address: %v", err)
		}
		noReset(t, d)
	})
	t.Run("another answer, then a code", func(t *testing.T) {
		d, i := entered(t)
		d.must(changeQuestion(d))
		if err := d.AskReset(d.ctx, i, d.keys); !errors.Is(err, conversion.ErrNotFound) {
			t.Errorf("asked with the old answer: %v", err)
		}
		noReset(t, d)
	})
	t.Run("a code, then another answer", func(t *testing.T) {
		d, i := entered(t)
		d.Exec(t, `CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(-7); RETURN NEW; END $$`)
		d.Exec(t, `CREATE TRIGGER stay BEFORE INSERT ON code FOR EACH ROW EXECUTE FUNCTION stay()`)
		release := d.hold(`SELECT pg_advisory_xact_lock(-7)`)
		asked := later(func() error { return d.AskReset(d.ctx, i, d.keys) })
		d.waiting(1)
		changed := later(func() error { return changeQuestion(d) })
		d.waiting(2)
		release()
		d.must(<-asked)
		d.must(<-changed)
		noReset(t, d)
	})
}

// moves gives the space of the session "own" another identifier.
func (d *desk) moves(email string) {
	d.t.Helper()
	s, err := d.SpaceOfSession(d.ctx, token("own"))
	d.must(err)
	to := sqltest.Email(d.t, email)
	d.must(d.AskIdentifier(d.ctx, s, to, d.keys))
	d.must(d.ChangeIdentifier(d.ctx, s, d.keys, to, d.MailIdentifier(d.t, d.keys, email), token("own")))
}

// entered is a password space with one session in it, the token "own", and a good
// code for a new password.
func entered(t *testing.T) (*desk, sql.Identifier) {
	t.Helper()
	d := open(t)
	d.switched("00000A", "owner@duvallon.example")
	i, err := d.FindIdentifier(d.ctx, sqltest.Email(t, "owner@duvallon.example"))
	d.must(err)
	d.must(d.AskReset(d.ctx, i, d.keys))
	d.Exec(t, `UPDATE code SET started_at = now.t, expires_at = now.t + interval '30 min' FROM (SELECT bascule_now() AS t) AS now WHERE purpose = 'reset'`)
	d.Exec(t, `DELETE FROM session`) // the activation's
	d.must(d.EnterSpace(d.ctx, i, token("own")))
	return d, i
}

// token is the SHA-256 of a session's cookie.
func token(name string) [32]byte { return sha256.Sum256([]byte(name)) }

func sum(name string) []byte { t := token(name); return t[:] }

// later runs f beside the test.
func later(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// hold runs a statement and keeps its locks until release, which undoes it.
func (d *desk) hold(query string, args ...any) (release func()) {
	d.t.Helper()
	tx, err := d.Raw.Begin()
	d.must(err)
	d.t.Cleanup(func() { tx.Rollback() })
	if _, err := tx.Exec(query, args...); err != nil {
		d.t.Fatal(err)
	}
	return func() { d.t.Helper(); d.must(tx.Rollback()) }
}

// waiting returns once n connections wait for a lock.
func (d *desk) waiting(n int) {
	d.t.Helper()
	const query = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
	for start := time.Now(); d.count(query) < n; {
		if time.Since(start) > 10*time.Second {
			d.t.Fatalf("%d connections wait for a lock, want %d", d.count(query), n)
		}
	}
}

// over checks that a session is.
func (d *desk) over(name string) {
	d.t.Helper()
	if _, err := d.SpaceOfSession(d.ctx, token(name)); !errors.Is(err, conversion.ErrNotFound) {
		d.t.Errorf("a session opened with the old password outlives it: %v", err)
	}
}
