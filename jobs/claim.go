package jobs

import (
	"context"
	"log/slog"
	"time"

	"bascule/sql"
)

// A holding keeps a claim alive. It renews the lease while outcomes are awaited and
// written down, and tells when a renewal fails.
type holding struct {
	db    *sql.DB
	mails []*sql.Mail
	log   *slog.Logger
	lost  context.Context // ends when a renewal failed
	lose  context.CancelFunc
	stop  context.CancelFunc
	done  chan struct{}
}

// renewEvery leaves half of the lease to write down outcomes when a renewal fails, which
// may take as long again.
const renewEvery = sql.Lease / 4

// These limits say how long a worker may use the database after it was told to stop, in
// all and for one attempt. Starts and outcomes go on when the worker's context has
// ended. If they were cut off, nobody would know what was committed.
const (
	lastWords        = 20 * time.Second
	statementTimeout = 15 * time.Second
)

// outlive is a context for one statement that an ending worker does not cut off.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
}

// recording is a context for writing outcomes down. It lasts as long as the lease:
// nobody else can claim the rows. It ends soon after ctx.
func recording(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), sql.Lease)
	return notMuchLonger(ctx, out, cancel)
}

func notMuchLonger(ctx, out context.Context, cancel context.CancelFunc) (context.Context, context.CancelFunc) {
	unwatch := context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, cancel) })
	return out, func() { unwatch(); cancel() }
}

func hold(ctx context.Context, db *sql.DB, mails []*sql.Mail, log *slog.Logger) *holding {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := &holding{db: db, mails: mails, log: log, stop: stop, done: make(chan struct{})}
	h.lost, h.lose = context.WithCancel(context.Background())
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
		err := h.db.RenewClaim(renewCtx, h.mails)
		cancel()
		if err != nil && ctx.Err() == nil {
			h.lose()
			h.log.Warn("cannot renew a claim", "err", err)
		}
	}
}

// recording is a context for writing outcomes down. It lasts while the claim is
// renewed, however long an import holds a request, and then for the rest of the lease.
// It ends soon after ctx.
func (h *holding) recording(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(h.lost, func() { time.AfterFunc(sql.Lease-2*renewEvery, cancel) })
	return notMuchLonger(ctx, out, func() { unwatch(); cancel() })
}

// release ends the renewals.
func (h *holding) release() {
	h.stop()
	<-h.done
}
