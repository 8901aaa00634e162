package jobs_test

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// imported is a space of a running campaign, whose invitation is due.
func (s *stage) imported(number, email string) conversion.Email {
	s.t.Helper()
	to := sqltest.Email(s.t, email)
	row := sql.ImportRow{Line: 2, Space: conversion.Space{Number: conversion.SubscriberNumber(number), Holder: "Camille Duvallon", Contact: to,
		Certificate: conversion.Certificate{Serial: "a1", Issuer: "CN=AC des exemples", Expires: time.Date(2099, 3, 1, 0, 0, 0, 0, time.UTC)}}}
	_, err := s.db.Import(s.t.Context(), sql.Import{
		Hash: sha256.Sum256([]byte(number)), FileName: "lot.xlsx", Sheet: "Feuil1", Actor: "admin", Keys: s.keys,
		Columns: sql.Columns{Number: "A", Email: "C", Serial: "D"}, Expect: 1,
		Rows: func(yield func(sql.ImportRow, error) bool) { yield(row, nil) },
	}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return to
}

// D16: at half time a worker mails the same code once more, as a mail of its own whose
// bounce counts; the deadline stands, and the word that it has passed follows. A complaint
// about that one counts, too (D17).
func TestReminder(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	to := s.imported("00000001", "c@cabinet-duvallon.example")
	s.work()
	first := s.mailed("code", to)
	s.until("the invitation is recorded", `SELECT count(*) = 1 FROM request_code WHERE mailed_at IS NOT NULL`)
	s.pass(conversion.DefaultCodeLifetime/2 + time.Minute)
	again := s.mailed("reminder", to)
	if again.code() != first.code() || again.from != first.from || !strings.HasPrefix(again.from, "retours+") {
		t.Errorf("the reminder has code %s, from %s; the invitation had %s, from %s", again.code(), again.from, first.code(), first.from)
	}
	s.until("the reminder is recorded", allMailed)
	s.pass(conversion.DefaultCodeLifetime / 2)
	over := s.mailed("expired", to)
	request, _ := strconv.ParseInt(s.db.Text(t, `SELECT id::text FROM request`), 10, 64)
	if want := returnPath(t, s.db, s.keys, request, "1w"); over.from != strings.Replace(want, "bascule", "espace", 1) {
		t.Errorf("the word that it is over is from %s", over.from)
	}
	s.until("all is recorded", allMailed)
	if n := len(s.relay.keptFor(to.String())); n != 3 {
		t.Errorf("%d mails went out, want 3", n)
	}
}
