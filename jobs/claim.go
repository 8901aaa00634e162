package jobs

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"bascule/sql"
)

// A holding keeps a claim alive: it renews the lease while its worker works or
// waits, and tells when it cannot. A holder that cannot renew starts nothing more.
type holding struct {
	db    *sql.DB
	claim sql.Claim
	log   *slog.Logger
	lost  atomic.Bool
	stop  context.CancelFunc
	done  chan struct{}
}

// renewEvery leaves three more tries before the lease is over.
const renewEvery = sql.Lease / 4

// recordTimeout bounds how long an outcome may take to be recorded. Outcomes
// are recorded after a shutdown began, too: that is why their context is not
// the worker's.
const recordTimeout = 20 * time.Second

func newToken() string { return uuid.NewString() }

func hold(ctx context.Context, db *sql.DB, claim sql.Claim, log *slog.Logger) *holding {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := &holding{db: db, claim: claim, log: log, stop: stop, done: make(chan struct{})}
	go h.renew(ctx)
	return h
}

func (h *holding) renew(ctx context.Context) {
	defer close(h.done)
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		renewCtx, cancel := context.WithTimeout(ctx, renewEvery)
		_, err := h.db.RenewClaim(renewCtx, h.claim)
		cancel()
		if err != nil && ctx.Err() == nil {
			h.lost.Store(true)
			h.log.Warn("cannot renew a claim; nothing more is started under it", "err", err)
		}
	}
}

// release ends the renewals and gives back the claims that were not started.
func (h *holding) release(ctx context.Context, unstarted []int64) {
	h.stop()
	<-h.done
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := h.db.ReleaseClaim(ctx, sql.Claim{Token: h.claim.Token, IDs: unstarted}); err != nil {
		h.log.Warn("claims could not be given back; their lease will end", "err", err)
	}
}
