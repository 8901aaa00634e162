package jobs_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"bascule/jobs"
)

// A worker says that it is alive, with its program and the texts of its mails, and when
// it stops. One that was silent for a day is forgotten.
func TestPresence(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.db.Exec(t, `INSERT INTO worker VALUES (gen_random_uuid(), 'old', '', '', bascule_now() - interval '25 hours')`)
	stop := s.work(func(w *jobs.Worker) { w.Version = "new" })
	s.until("it is alive", `SELECT count(*) = 1 AND bool_and(version = 'new' AND texts ~ '^[0-9a-f]{16}$') FROM worker`)
	list, err := s.db.DB.Workers(t.Context())
	if err != nil || len(list) != 1 || list[0].Silent > time.Minute || list[0].Version != "new" {
		t.Errorf("workers are %+v, %v", list, err)
	}
	stop()
	s.until("it has stopped", `SELECT count(*) = 0 FROM worker`)
}

// A worker that Redis keeps from work says so.
func TestPresenceTellsTrouble(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		(&jobs.Presence{DB: s.db.DB, Log: slog.New(slog.DiscardHandler), Trouble: func() string { return "its memory is full" }}).Run(ctx)
	})
	s.until("it says so", `SELECT count(*) = 1 FROM worker WHERE trouble = 'its memory is full'`)
	cancel()
	running.Wait()
}
