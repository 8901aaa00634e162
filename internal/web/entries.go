package web

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"bascule/sql"
)

// entries adds up forms with a right code, and those that an error of ours failed:
// too many of these stop their campaign (D15).
type entries struct {
	mu     sync.Mutex
	counts map[int64]sql.Entries // by campaign
	saved  time.Time
	log    *slog.Logger
}

// saveEvery is how long successful forms may wait before they are added up in the
// database.
const saveEvery = 5 * time.Second

// note adds a form of a campaign; 0 is none. A failure is saved at once.
func (e *entries) note(ctx context.Context, db *sql.DB, campaign int64, failed bool) {
	if campaign == 0 {
		return
	}
	form := sql.Entries{All: 1}
	if failed {
		form.Failed = 1
	}
	e.add(map[int64]sql.Entries{campaign: form})
	counts := e.take(failed)
	if counts == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveEvery)
	defer cancel()
	if err := db.NoteEntries(ctx, counts); err != nil {
		e.add(counts)
		e.log.Warn("cannot add up entries; it is tried again with the next one", "err", err)
	}
}

func (e *entries) add(counts map[int64]sql.Entries) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.counts == nil {
		e.counts = make(map[int64]sql.Entries)
	}
	for campaign, n := range counts {
		sum := e.counts[campaign]
		e.counts[campaign] = sql.Entries{All: sum.All + n.All, Failed: sum.Failed + n.Failed}
	}
}

// take returns the counts to save now; nil for nothing.
func (e *entries) take(now bool) map[int64]sql.Entries {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !now && time.Since(e.saved) < saveEvery {
		return nil
	}
	counts := e.counts
	e.counts, e.saved = nil, time.Now()
	return counts
}
