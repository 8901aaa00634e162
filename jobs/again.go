package jobs

import (
	"context"
	"log/slog"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// Inviter invites subscribers again whose code expired, some days before their
// certificate ends (D16). The campaign holds the invitations.
type Inviter struct {
	DB    *sql.DB
	Keys  *conversion.Keyring
	Every time.Duration // between two looks
	Log   *slog.Logger
}

const (
	// inviteEvery is how late an invitation may be after its day has begun.
	inviteEvery = time.Minute
	// inviteSize is how many requests one transaction opens. Imports wait for it.
	inviteSize = 500
)

// Run invites until ctx ends. Any number may run side by side.
func (i *Inviter) Run(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		err := i.Invite(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			i.Log.Warn("cannot invite again; it is tried again", "err", err)
		}
		failing = err != nil
		pause(ctx, i.Every, nil)
	}
}

// Invite looks once, and invites all subscribers whose day has begun.
func (i *Inviter) Invite(ctx context.Context) error {
	for {
		looked, err := i.inviteSome(ctx)
		if err != nil || looked < inviteSize {
			return err
		}
	}
}

func (i *Inviter) inviteSome(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	looked, opened, err := i.DB.InviteAgain(ctx, i.Keys, inviteSize)
	if opened > 0 {
		i.Log.Info("invited again", "count", opened)
	}
	return looked, err
}
