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
	DB   *sql.DB
	Keys *conversion.Keyring
	Log  *slog.Logger
}

const (
	// inviteEvery is how late an invitation may be after its day has begun.
	inviteEvery = time.Minute
	// inviteSize is how many requests one transaction opens. Imports wait for it.
	inviteSize = 500
)

// Run invites until ctx ends. Any number may run side by side.
func (i *Inviter) Run(ctx context.Context) {
	repeat(ctx, inviteEvery, i.Log, "cannot invite again; it is tried again", i.Invite)
}

// Invite looks once, and invites all subscribers whose day has begun.
func (i *Inviter) Invite(ctx context.Context) error {
	opened, err := exhaust(ctx, inviteSize, func(ctx context.Context, limit int) (sql.Looked, error) {
		return i.DB.InviteAgain(ctx, i.Keys, limit)
	})
	if opened > 0 {
		i.Log.Info("invited again", "count", opened)
	}
	return err
}
