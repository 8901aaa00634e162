package jobs

import (
	"context"
	"log/slog"

	"bascule/sql"

	"github.com/google/uuid"
)

// Presence says again and again that a worker is alive, so that nobody starts a campaign
// that nobody would mail.
type Presence struct {
	DB      *sql.DB
	Version string        // of the program
	Texts   string        // digest of the texts of its mails
	Trouble func() string // what to do about Redis; "" while that answers
	Log     *slog.Logger
}

// presentEvery lets three words in a row get lost, before the worker counts as dead.
const presentEvery = sql.WorkerSilence / 4

// Run says it until ctx ends; then it says that the worker stops.
func (p *Presence) Run(ctx context.Context) {
	id := uuid.NewString()
	repeat(ctx, presentEvery, p.Log, "cannot say that this worker is alive; it is tried again", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, statementTimeout)
		defer cancel()
		return p.DB.NoteWorker(ctx, id, sql.Worker{Version: p.Version, Texts: p.Texts, Trouble: p.Trouble()})
	})
	ctx, cancel := outlive(ctx)
	defer cancel()
	if err := p.DB.ForgetWorker(ctx, id); err != nil {
		p.Log.Warn("cannot say that this worker stops", "err", err)
	}
}
