package jobs

import (
	"log/slog"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/smtp"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// accepted are windows of so many mails each that were started, and the relay's answers:
// it has accepted all of them.
func accepted(t *testing.T, n, each int) (*sqltest.DB, *Mailer, []*window, []result) {
	t.Helper()
	db, keys := sqltest.Open(t), sqltest.Keys(t)
	m := &Mailer{DB: db.DB, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	var windows []*window
	var results []result
	for range n {
		for range each {
			db.Requested(t, keys, sqltest.Invitation{})
		}
		w := &window{Mailer: m, out: t.Context()}
		s, err := db.StartMail(t.Context(), sql.Window{Lane: sql.LaneBulk, Limit: each, Lifetime: conversion.DefaultCodeLifetime, Keys: keys})
		if err != nil || len(s.Mails) != each {
			t.Fatalf("%d mails started: %v", len(s.Mails), err)
		}
		w.unsettled.Add(2 * each)
		windows = append(windows, w)
		for _, mail := range s.Mails {
			results = append(results, result{w: w, mail: mail, outcome: smtp.Outcome{Kind: smtp.Accepted, Stage: smtp.StageDot}})
		}
	}
	return db, m, windows, results
}

// D11: in one set of outcomes, mails refused before another one was accepted are to
// blame, each time. A mail refused after the last is not.
func TestSetOfOutcomes(t *testing.T) {
	db, m, windows, results := accepted(t, 1, 5)
	for _, i := range []int{0, 2, 4} {
		results[i].outcome = smtp.Outcome{Kind: smtp.Unclear, Stage: smtp.StageRcpt, Code: 550, Text: "no"}
	}
	r := new(recorder)
	r.queue(m, results)
	if lost, err := r.try(m); lost != 0 || err != nil || len(r.waiting) != 0 {
		t.Fatalf("%d lost, %d wait: %v", lost, len(r.waiting), err)
	}
	windows[0].unsettled.Wait()
	if got := db.Text(t, `SELECT string_agg(blame || attempts, ' ' ORDER BY id) FROM obligation`); got != "own1 own1 open1" {
		t.Errorf("blame and attempts are %q", got)
	}
}

// What slots have at the same time is written down in one transaction. A slot waits for
// its own mails alone.
func TestSlotsShareATransaction(t *testing.T) {
	db, m, windows, results := accepted(t, 2, 2)
	r := &recorder{known: results[:3]}
	windows[1].Mailer, windows[1].awaited = m, 1
	r.expect(windows[1])
	windows[0].unsettled.Wait()
	const transactions = `SELECT count(*) || ' mails in ' || count(DISTINCT xmin::text) FROM audit WHERE event = 'mailed'`
	if got := db.Text(t, transactions); got != "3 mails in 1" {
		t.Errorf("recorded are %s transactions", got)
	}
	r.add(results[3])
	windows[1].unsettled.Wait()
	if got := db.Text(t, transactions); got != "4 mails in 2" || windows[1].recorded != 2 {
		t.Errorf("recorded are %s transactions", got)
	}
}

// Outcomes are written down once half of the windows wait for that, whatever the relay
// does with the others.
func TestHalfOfTheWindowsWait(t *testing.T) {
	r := &recorder{now: make(chan struct{}, 1)}
	windows := []*window{{awaited: 1}, {awaited: 1}, {awaited: 2}, {awaited: 1}}
	for _, w := range windows {
		r.expect(w)
	}
	for i, want := range []int{0, 0, 1} {
		if r.add(result{w: windows[[]int{2, 0, 3}[i]]}); len(r.now) != want {
			t.Errorf("after %d outcomes, %d of 4 windows wait: written down %d times, want %d", i+1, r.full, len(r.now), want)
		}
	}
	if n := len(r.take()); n != 3 || r.full != 0 || r.open != 2 {
		t.Errorf("%d outcomes are written down; %d windows wait, %d are open", n, r.full, r.open)
	}
}

// An import may hold a code for long. Only the window of its mail waits for it.
func TestOtherWindowsDoNotWait(t *testing.T) {
	db, m, windows, results := accepted(t, 2, 1)
	holder, err := db.Raw.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Rollback()
	if _, err := holder.Exec(`SELECT FROM code WHERE request_id = $1 FOR UPDATE`, results[0].mail.RequestID); err != nil {
		t.Fatal(err)
	}
	r := new(recorder)
	r.queue(m, results)
	if lost, err := r.try(m); lost != 0 || err != nil || windows[0].recorded != 0 || windows[1].recorded != 1 {
		t.Errorf("%d lost: %v; recorded are %d of the mail that is held, %d of the other one", lost, err, windows[0].recorded, windows[1].recorded)
	}
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	if lost, err := r.try(m); lost != 0 || err != nil || windows[0].recorded != 1 || len(r.waiting) != 0 {
		t.Errorf("%d lost: %v; recorded are %d of the mail that was held", lost, err, windows[0].recorded)
	}
}
