package main

import (
	"errors"
	"flag"
	"syscall"
	"testing"
	"time"
)

// held is how many invitations wait for their campaign: a few in the gate, many for who
// wants to know how soon the first one leaves.
var held = flag.Int("held", 2000, "invitations that TestFirstOfMany holds")

// D12, D13: while many invitations are held workers mail others; a start lets the first
// of them out soon, one of the first priority. go test -v tells how soon.
func TestFirstOfMany(t *testing.T) {
	t.Parallel()
	c := newCourse(t)
	worker := c.work()
	c.leaves(0)
	c.db.Exec(t, `
		WITH spaces AS (
			INSERT INTO space (number, holder, contact_email, contact_key, serial, issuer, certificate_expires, priority, contents)
			SELECT 'N' || lpad(i::text, 7, '0'), 'Camille Duvallon', 'n' || i || '@a.example', 'n' || i || '@a.example', to_hex(i), '', '2099-01-01', 1 + i % 9, gen_random_uuid()
			FROM generate_series(1, $1::int) i
			RETURNING id, contact_email, priority
		), large AS (
			INSERT INTO campaign (name, state, created_at) VALUES ('large', 'prepared', bascule_now()) RETURNING id
		), requests AS (
			INSERT INTO request (space_id, campaign_id, origin, requested_at) SELECT s.id, large.id, 'import', bascule_now() FROM spaces s, large
			RETURNING id, space_id, campaign_id
		), codes AS (
			INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
			SELECT r.id, 1, 'identify', s.contact_email, s.contact_email, (SELECT id FROM key), uuid_send(gen_random_uuid())
			FROM requests r JOIN spaces s ON s.id = r.space_id
		)
		INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires)
		SELECT r.id, 1, s.id, r.campaign_id, s.priority, '2099-01-01' FROM requests r JOIN spaces s ON s.id = r.space_id`, *held)
	c.leaves(1)
	mails := c.inbox.Count()
	if mails != 2 {
		t.Fatalf("%d mails left, want those of the other campaign alone", mails)
	}
	begun := time.Now()
	c.run("campaign", "start", "large", "--anyway", "a rehearsal")
	if err := poll(func() error {
		if c.inbox.Count() == mails {
			return errors.New("no mail has left")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("the first of %d left %s after the command began", *held, time.Since(begun).Round(time.Millisecond))
	if got := c.db.Text(t, `SELECT s.priority::text FROM code c JOIN request r ON r.id = c.request_id JOIN space s ON s.id = r.space_id
		WHERE s.number LIKE 'N%' AND c.started_at IS NOT NULL ORDER BY c.started_at LIMIT 1`); got != "1" {
		t.Errorf("the first one has priority %s, want 1", got)
	}
	c.run("campaign", "pause", "large")
	worker.stop(syscall.SIGTERM)
}
