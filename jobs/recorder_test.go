package jobs

import (
	"context"
	"log/slog"
	"sync"
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
	w := &window{Mailer: m, token: newToken()}
	s, err := db.StartMail(t.Context(), sql.Window{Lane: sql.LaneBulk, Limit: 5, Token: w.token, Lifetime: conversion.DefaultCodeLifetime, Keys: keys})
	if err != nil || len(s.Mails) != 5 {
		t.Fatalf("%d mails started: %v", len(s.Mails), err)
	}
	accepted, unclear := smtp.Outcome{Kind: smtp.Accepted, Stage: smtp.StageDot}, smtp.Outcome{Kind: smtp.Unclear, Stage: smtp.StageRcpt, Code: 550, Text: "no"}
	results := of(unclear, accepted, unclear, accepted, unclear)
	for i := range results {
		results[i].mail = s.Mails[i]
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := &recorder{scribe: scribe{turn: new(sync.Mutex), tell: func(err error) { t.Error(err) }}, w: w, out: ctx}
	r.judge(results)
	if err := r.finish(ctx); err != nil {
		t.Fatal(err)
	}
	if got := db.Text(t, `SELECT string_agg(blame || attempts, ' ' ORDER BY id) FROM obligation`); got != "own1 own1 open1" {
		t.Errorf("blame and attempts are %q", got)
	}
}
