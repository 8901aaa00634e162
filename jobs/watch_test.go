package jobs_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/smtp"
	"bascule/jobs"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// campaign imports n rows into a running campaign.
func (s *stage) campaign(name string, n int) {
	s.t.Helper()
	in := sql.Import{Hash: sha256.Sum256([]byte(name)), FileName: name + ".csv", Campaign: name, Start: true, Actor: "admin", Keys: s.keys,
		Columns: sql.Columns{Number: "A", Email: "C", Serial: "D"}, Expect: n}
	in.Rows = func(yield func(sql.ImportRow, error) bool) {
		for i := range n {
			r := sql.ImportRow{Line: i + 2, Space: conversion.Space{
				Number: conversion.SubscriberNumber(fmt.Sprintf("C%05d", i)), Holder: "Camille Duvallon",
				Contact:     sqltest.Email(s.t, fmt.Sprintf("c%d@duvallon.example", i)),
				Certificate: conversion.Certificate{Serial: conversion.SerialNumber(fmt.Sprintf("%x", i+1)), Expires: time.Now().AddDate(1, 0, 0)},
			}}
			if !yield(r, nil) {
				return
			}
		}
	}
	if _, err := s.db.DB.Import(s.t.Context(), in, nil); err != nil {
		s.t.Fatal(err)
	}
}

// watch looks at the campaigns again and again, until the test ends.
func (s *stage) watch(alert conversion.Email) {
	s.t.Helper()
	cfg, err := smtp.ParseURL(s.relay.URL())
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := composer()
	if err != nil {
		s.t.Fatal(err)
	}
	relay := smtp.NewClient(cfg, 1)
	m := &jobs.Mailer{DB: s.db.DB, Composer: text, Relay: relay, ReturnPath: sqltest.Email(s.t, "ne-pas-repondre@bascule.example"),
		Domain: "espace.example", Log: slog.New(slog.NewTextHandler(s.log, nil))}
	w := &jobs.Watcher{Mailer: m, Alert: alert, Every: 20 * time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	s.t.Cleanup(func() { cancel(); <-done; relay.Close() })
}

// D15: a campaign with one invitation in five refused for good is stopped. The operator
// gets one mail, and the log has the reason. An alert of a new database, which counts from
// the beginning, is no copy of it.
func TestDeadAddressesStopTheirCampaign(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.campaign("spring", 120)
	s.relay.follow(func(stage, to, _ string) string {
		if stage == "rcpt" && strings.HasSuffix(to, "0@duvallon.example") || strings.HasSuffix(to, "5@duvallon.example") {
			return "550 5.1.1 unknown"
		}
		return ""
	})
	operator := sqltest.Email(t, "exploitation@administration.example")
	s.watch(operator)
	s.work()
	s.until("it is paused", `SELECT state = 'paused' FROM campaign`)
	s.wait("the operator is told", func() bool { return len(s.relay.keptFor(operator.String())) > 0 })
	s.until("the alert is done", `SELECT count(*) = 0 FROM alert`)
	told := s.relay.keptFor(operator.String())
	body := strings.NewReplacer("=\r\n", "", "=\n", "").Replace(told[0].raw)
	if len(told) != 1 || !strings.Contains(body, "Subject: =?utf-8?q?Campagne_") || !strings.Contains(body, "adresses mortes sur 1") {
		t.Errorf("%d alerts, the first:\n%s", len(told), body)
	}
	if why := s.db.Text(t, `SELECT why FROM campaign`); !strings.HasPrefix(why, "stopped: 2") || !strings.Contains(s.log.String(), why) {
		t.Errorf("it is paused because of %q; the log:\n%s", why, s.log)
	}
	s.db.Exec(t, `INSERT INTO alert (id, made_at, subject, text) OVERRIDING SYSTEM VALUE VALUES (1, bascule_now(), 'Essai', 'Essai.')`)
	s.wait("the next is told", func() bool { return len(s.relay.keptFor(operator.String())) > 1 })
	if next := s.relay.keptFor(operator.String())[1]; next.id == told[0].id {
		t.Errorf("both alerts have the Message-ID %s", next.id)
	}
}

// D15, D11: refusals that speak about us open the breaker, and stop no campaign.
func TestBadRelayStopsNoCampaign(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.campaign("spring", 150)
	s.relay.follow(func(stage, _, _ string) string {
		if stage == "rcpt" {
			return "550 sorry"
		}
		return ""
	})
	s.watch(conversion.Email{})
	s.work()
	s.until("the breaker is open", `SELECT opened_at IS NOT NULL FROM breaker`)
	s.relay.follow(nil)
	s.elapse("all others have left", `SELECT count(*) >= 145 FROM code WHERE mailed_at IS NOT NULL`)
	if state := s.db.Text(t, `SELECT state || why FROM campaign`); state != "running" {
		t.Errorf("the campaign is %s", state)
	}
}
