package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"time"
)

// The goals of the expiry.
const (
	expiryGoal     = 0.75 // of the speed of one statement
	expiryPatience = 2.0  // times the 99th percentile of activations while nothing expires
)

//go:embed expiry.sql
var expiryStatement string

// The codes of the list live for 48 hours, and the database's clock is moved beyond
// that. Subscribers who activate meanwhile have codes that live longer.
const (
	afterDeadline = 49 * time.Hour
	longLifetime  = "CODE_LIFETIME=1440h"
)

// expiryStage lets the mailed requests of a list expire while other subscribers
// activate. The reference is one statement on a copy of the database. The relay is down
// meanwhile, so that mails about expired codes do not count.
func expiryStage(ctx context.Context, s *site) (lines []*line, err error) {
	e := expiry{site: s}
	if err := e.prepare(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.before.drop()) }()
	sweep := &line{Name: "mails apart", Rows: e.overdue, Unit: "/s", Against: "by one statement", Goal: expiryGoal}
	if err := e.alone(ctx, sweep); err != nil {
		return nil, err
	}
	beside, activation, err := e.measure(ctx, sweep)
	if err != nil {
		return nil, err
	}
	if err := e.alone(ctx, sweep); err != nil {
		return nil, err
	}
	beside.Reference = sweep.Reference
	sweep.Detail.Ledger, err = s.ledger(ctx, e.accepted)
	sweep.Detail.Ledger = append(sweep.Detail.Ledger, entry{What: "expired ones are the overdue ones", Want: e.overdue, Got: e.expired})
	lines = []*line{sweep, activation}
	if beside.Rows > 0 { // a short list expires in one sweep
		lines = append(lines, beside)
	}
	return lines, err
}

type expiry struct {
	*site
	before   *database // a copy at the deadline; no connection is open, so that it can be copied
	letters  []letter
	overdue  int // requests that will expire
	accepted int
	expired  int
}

// prepare mails the list and the subscribers who activate, and keeps a copy of the
// database.
func (e *expiry) prepare(ctx context.Context) (err error) {
	if _, e.overdue, err = e.invite(ctx, e.rows, 1); err != nil {
		return err
	}
	if err := e.sink.keep(ctx, e.activations()); err != nil {
		return err
	}
	others := 0
	if e.letters, others, err = e.invite(ctx, e.activations(), 2, longLifetime); err != nil {
		return err
	}
	e.accepted = e.overdue + others
	return e.copyDatabase(ctx)
}

// copyDatabase lets product and reference begin with the same tables.
func (e *expiry) copyDatabase(ctx context.Context) (err error) {
	if err := execute(ctx, e.db, vacuum); err != nil {
		return err
	}
	if err := e.db.Close(); err != nil { // a database is copied while nobody uses it
		return err
	}
	if e.before, err = e.newDatabase(ctx, e.db.name); err != nil {
		return err
	}
	if err := e.before.Close(); err != nil {
		return err
	}
	return e.db.open()
}

// passDeadline moves the database's clock away from the real one.
func (d *database) passDeadline(ctx context.Context) error {
	return execute(ctx, d, fmt.Sprintf(`CREATE OR REPLACE FUNCTION bascule_now() RETURNS timestamptz LANGUAGE sql VOLATILE
		AS 'SELECT clock_timestamp() + interval ''%d seconds'''`, int(afterDeadline.Seconds())))
}

// alone runs the reference on a copy.
func (e *expiry) alone(ctx context.Context, l *line) (err error) {
	d, err := e.newDatabase(ctx, e.before.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.drop()) }()
	if err := d.passDeadline(ctx); err != nil {
		return err
	}
	if err := execute(ctx, d, `ALTER TABLE request DISABLE TRIGGER USER`, `ALTER TABLE audit DISABLE TRIGGER USER`, checkpoint); err != nil {
		return err
	}
	began := time.Now()
	result, err := d.ExecContext(ctx, expiryStatement)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if n, err := result.RowsAffected(); err != nil || int(n) != e.overdue {
		return fmt.Errorf("the reference expires %d of %d requests: %w", n, e.overdue, err)
	}
	l.Reference = append(l.Reference, float64(e.overdue)/took.Seconds())
	return nil
}

// measure lets half of the other subscribers activate while nothing expires. It lets half
// of the list expire alone, and the rest while the other half of the subscribers activate.
func (e *expiry) measure(ctx context.Context, sweep *line) (beside, activation *line, err error) {
	v, pages, err := e.serve(ctx)
	if err != nil {
		return nil, nil, err
	}
	half := len(e.letters) / 2
	quiet, err := crowd(ctx, 1, e.letters[:half], never, v.timed)
	if err != nil {
		return nil, nil, err
	}
	away, err := closedPort()
	if err != nil {
		return nil, nil, err
	}
	m, err := e.meter(ctx, pages)
	if err != nil {
		return nil, nil, err
	}
	worker, err := e.work(ctx, "SMTP_URL=smtp://"+away+"?starttls=off")
	if err != nil {
		return nil, nil, err
	}
	m.add(worker)
	if err := e.db.passDeadline(ctx); err != nil { // a worker checks the clock when it starts
		return nil, nil, err
	}
	late := time.Now().Add(e.limit)
	took, err := e.sweep(ctx, e.overdue/2, late)
	if err != nil {
		return nil, nil, err
	}
	alone := e.expired
	sweep.Product = append(sweep.Product, float64(alone)/took.Seconds())
	beside = &line{Name: "while others activate", Rows: e.overdue - alone, Unit: "/s", Against: sweep.Against}
	swept := make(chan error, 1)
	go func() {
		all, err := e.sweep(ctx, e.overdue, late)
		beside.Product = append(beside.Product, float64(e.expired-alone)/(all-took).Seconds())
		swept <- err
	}()
	done := false
	during, err := crowd(ctx, 1, e.letters[half:], func() bool {
		select {
		case err = <-swept:
			done = true
		default:
		}
		return done
	}, v.timed)
	if err == nil && !done {
		err = <-swept
	}
	if err != nil {
		return nil, nil, err
	}
	if sweep.Detail, err = m.read(ctx, e.overdue); err != nil {
		return nil, nil, err
	}
	if e.expired < e.overdue {
		sweep.Note = fmt.Sprintf("only %d of %d within %s", e.expired, e.overdue, e.limit)
	}
	activation = limit("p99 of activations meanwhile", "ms", e.overdue, percentile(during, 0.99), expiryPatience*percentile(quiet, 0.99))
	activation.Against, activation.Note = "twice the quiet one", fmt.Sprintf("of %d", len(during))
	return beside, activation, e.stop()
}

// sweep waits until so many requests have expired, not longer than late. It returns the
// time since the first sweep.
func (e *expiry) sweep(ctx context.Context, expired int, late time.Time) (took time.Duration, err error) {
	for {
		began := time.Now()
		var first time.Time
		if err := e.db.QueryRowContext(ctx, `SELECT count(*), coalesce(min(at), 'epoch') FROM audit WHERE event = 'expired'`).Scan(&e.expired, &first); err != nil {
			return 0, err
		}
		if e.expired >= expired || time.Now().After(late) {
			return began.Add(afterDeadline).Sub(first), nil
		}
		// The question must not slow the measured work down.
		if err := soon(ctx, max(tallyPoll, 10*time.Since(began))); err != nil {
			return 0, err
		}
	}
}

// closedPort is an address where nobody listens.
func closedPort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
