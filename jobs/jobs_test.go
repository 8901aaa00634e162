package jobs_test

import (
	"bytes"
	"context"
	"log/slog"
	"regexp"
	"sync"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
	"bascule/internal/mail"
	"bascule/jobs"
	"bascule/queue"
	"bascule/sql/sqltest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// A stage is everything around a worker, real: PostgreSQL, Redis, SMTP.
type stage struct {
	t     *testing.T
	db    *sqltest.DB
	keys  *conversion.Keyring
	redis *devenv.RedisServer
	inbox *devenv.Inbox
	log   *logBook
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return &stage{t: t, db: sqltest.Open(t), keys: sqltest.Keys(t), redis: devtest.Redis(t), inbox: devtest.Inbox(t), log: &logBook{}}
}

// logBook keeps what workers log.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// work starts a worker that hands mail to smtpURL; stop ends it and waits.
func (s *stage) work(smtpURL string, change func(*jobs.Worker)) (stop func()) {
	s.t.Helper()
	cfg, err := mail.ParseURL(smtpURL)
	if err != nil {
		s.t.Fatal(err)
	}
	composer, err := mail.NewComposer(mail.Sender{Name: "Espace abonné", Address: sqltest.Email(s.t, "ne-pas-repondre@bascule.example")},
		"https://espace.example", "Assistance : 01 00 00 00 00")
	if err != nil {
		s.t.Fatal(err)
	}
	q, err := queue.Open(s.redis.URL())
	if err != nil {
		s.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	relay := mail.NewRelay(cfg, 12)
	w := &jobs.Worker{DB: s.db.DB, Queue: q, Log: log, Slots: queue.Slots{Interactive: 2, Batch: 4}, Mailer: &jobs.Mailer{
		DB: s.db.DB, Keys: s.keys, Relay: relay, Composer: composer, Domain: "espace.example",
		Lifetime: conversion.DefaultCodeLifetime, Now: time.Now, Log: log,
	}}
	if change != nil {
		change(w)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				s.t.Errorf("the worker ended with %v", err)
			}
			relay.Close()
			q.Close()
		})
	}
	s.t.Cleanup(stop)
	return stop
}

// patience bounds every wait for something that is certain to come.
const patience = 60 * time.Second

// until waits for a condition that the database tells.
func (s *stage) until(what, query string, args ...any) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if s.db.Text(s.t, "SELECT ("+query+")::text", args...) == "true" {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("waited in vain until %s; the workers say:\n%s", what, s.log)
		case <-tick.C:
		}
	}
}

var codeInMail = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b`)

// C2, R19, R23, I5: every subscriber gets exactly one mail, with the one code
// that the request stands for and the deadline that the database holds.
func TestEverySubscriberGetsOneMail(t *testing.T) {
	s := newStage(t)
	const n = 300
	for range n {
		s.db.Requested(t, s.keys, sqltest.Invitation{})
	}
	for range 3 {
		s.work(s.inbox.URL(), nil)
	}
	s.until("all are mailed", `SELECT count(*) = $1 FROM request WHERE mailed_at IS NOT NULL`, n)
	seen := make(map[string]bool)
	for _, m := range s.inbox.Messages() {
		parsed, err := m.Parse()
		if err != nil {
			t.Fatal(err)
		}
		to := m.Recipients[0]
		if seen[to] {
			t.Errorf("two mails for one subscriber")
		}
		seen[to] = true
		code, err := conversion.ParseCode(codeInMail.FindString(parsed.Text))
		if err != nil {
			t.Fatalf("no code in the mail: %v", err)
		}
		proven, err := s.db.FindCode(context.Background(), s.keys, sqltest.Email(t, to), code)
		if err != nil {
			t.Fatalf("the mailed code is refused: %v", err)
		}
		if want := conversion.FrenchTime(proven.ExpiresAt); !bytes.Contains([]byte(parsed.Text), []byte(want)) {
			t.Errorf("the mail does not state the deadline %q", want)
		}
	}
	if len(seen) != n {
		t.Errorf("%d subscribers were mailed, want %d", len(seen), n)
	}
}
