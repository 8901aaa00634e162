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

// D11: in one set of outcomes, mails refused before another one was accepted are to
// blame, each time. A mail refused after the last is not.
func TestSetOfOutcomes(t *testing.T) {
	db, keys := sqltest.Open(t), sqltest.Keys(t)
	for range 5 {
		db.Requested(t, keys, sqltest.Invitation{})
	}
	m := &Mailer{DB: db.DB, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	w := &window{Mailer: m, out: t.Context()}
	s, err := db.StartMail(t.Context(), sql.Window{Lane: sql.LaneBulk, Limit: 5, Lifetime: conversion.DefaultCodeLifetime, Keys: keys})
	if err != nil || len(s.Mails) != 5 {
		t.Fatalf("%d mails started: %v", len(s.Mails), err)
	}
	accepted, unclear := smtp.Outcome{Kind: smtp.Accepted, Stage: smtp.StageDot}, smtp.Outcome{Kind: smtp.Unclear, Stage: smtp.StageRcpt, Code: 550, Text: "no"}
	results := of(unclear, accepted, unclear, accepted, unclear)
	for i := range results {
		results[i].w, results[i].mail = w, s.Mails[i]
	}
	w.unsettled.Add(2 * len(results))
	r := new(recorder)
	r.queue(m, results)
	if lost, err := r.try(m); lost != 0 || err != nil || len(r.waiting) != 0 {
		t.Fatalf("%d lost, %d wait: %v", lost, len(r.waiting), err)
	}
	w.unsettled.Wait()
	if got := db.Text(t, `SELECT string_agg(blame || attempts, ' ' ORDER BY id) FROM obligation`); got != "own1 own1 open1" {
		t.Errorf("blame and attempts are %q", got)
	}
}

// What slots have at the same time is written down in one transaction. A slot waits for
// its own mails alone.
func TestSlotsShareATransaction(t *testing.T) {
	db, keys := sqltest.Open(t), sqltest.Keys(t)
	for range 4 {
		db.Requested(t, keys, sqltest.Invitation{})
	}
	m := &Mailer{DB: db.DB, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	var windows []*window
	var results []result
	for range 2 {
		w := &window{Mailer: m, out: t.Context()}
		s, err := db.StartMail(t.Context(), sql.Window{Lane: sql.LaneBulk, Limit: 2, Lifetime: conversion.DefaultCodeLifetime, Keys: keys})
		if err != nil || len(s.Mails) != 2 {
			t.Fatalf("%d mails started: %v", len(s.Mails), err)
		}
		w.unsettled.Add(2 * len(s.Mails))
		windows = append(windows, w)
		for _, mail := range s.Mails {
			results = append(results, result{w: w, mail: mail, outcome: smtp.Outcome{Kind: smtp.Accepted, Stage: smtp.StageDot}})
		}
	}
	r := &recorder{known: results[:3]}
	r.expect(m, 1)
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

// An import may hold a code for long. Only the window of its mail waits for it.
func TestOtherWindowsDoNotWait(t *testing.T) {
	db, keys := sqltest.Open(t), sqltest.Keys(t)
	for range 2 {
		db.Requested(t, keys, sqltest.Invitation{})
	}
	m := &Mailer{DB: db.DB, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	var windows []*window
	var results []result
	for range 2 {
		w := &window{Mailer: m, out: t.Context()}
		s, err := db.StartMail(t.Context(), sql.Window{Lane: sql.LaneBulk, Limit: 1, Lifetime: conversion.DefaultCodeLifetime, Keys: keys})
		if err != nil || len(s.Mails) != 1 {
			t.Fatalf("%d mails started: %v", len(s.Mails), err)
		}
		w.unsettled.Add(2)
		windows = append(windows, w)
		results = append(results, result{w: w, mail: s.Mails[0], outcome: smtp.Outcome{Kind: smtp.Accepted, Stage: smtp.StageDot}})
	}
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
