package sql

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"time"

	"github.com/lib/pq"
)

// Due is how much is due in one lane.
type Due struct {
	Lane        Lane   `db:"lane"`
	Count       int    `db:"due"` // counted up to the limit asked for
	BreakerOpen bool   `db:"breaker_open"`
	ProbeDue    bool   `db:"probe_due"`
	Running     string `db:"running"` // the ids of the campaigns that run, in all lanes the same
}

//go:embed query/due.sql
var due string

// Due counts what is due in each lane, up to limit.
func (db *DB) Due(ctx context.Context, limit int) ([]Due, error) {
	var lanes []Due
	err := db.x.SelectContext(ctx, &lanes, due, limit, ProbeEvery.Seconds())
	return lanes, wrap(err, "count what is due")
}

// dueChannel is notified by every statement that adds an obligation.
const dueChannel = "bascule_due"

// WatchDue sends on a buffered channel soon after obligations were added, until ctx ends.
// Notifications are lost while the connection is down, so the caller also needs a tick. It
// waits for the first connection. It returns an error if ctx ends before.
func (db *DB) WatchDue(ctx context.Context, log *slog.Logger, due chan<- struct{}) error {
	l := pq.NewDialListener(dialFunc(dialToListen), db.pool.url, time.Second, 30*time.Second, func(e pq.ListenerEventType, err error) {
		if err != nil {
			log.Warn("the connection that listens for work is down", "err", err)
		}
	})
	context.AfterFunc(ctx, func() { l.Close() }) // Listen knows no context
	if err := l.Listen(dueChannel); err != nil {
		l.Close()
		return fmt.Errorf("listen for work: %w", err)
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-l.Notify:
				select {
				case due <- struct{}{}:
				default: // a signal is waiting already
				}
			}
		}
	}()
	return nil
}
