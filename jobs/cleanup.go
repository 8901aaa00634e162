package jobs

import (
	"context"
	"log/slog"
	"time"

	"bascule/sql"
)

// Cleaner forgets sessions that are over, throttles that are empty, and mails that
// would wait for ever. It also keeps the tally short. It runs even when no mail is due,
// as people sign in and mistype codes at any time.
type Cleaner struct {
	DB    *sql.DB
	Every time.Duration // between two looks
	Log   *slog.Logger
}

const (
	// cleanEvery is short enough that one look finds some thousands of rows at the
	// most.
	cleanEvery = time.Minute
	// cleanSize bounds one statement.
	cleanSize = 5000
)

// Run cleans up until ctx ends. Any number may run side by side.
func (c *Cleaner) Run(ctx context.Context) {
	repeat(ctx, c.Every, c.Log, "cannot clean up; it is tried again", c.Clean)
}

// Clean looks once.
func (c *Cleaner) Clean(ctx context.Context) error {
	if _, err := exhaust(ctx, cleanSize, c.DB.CleanUp); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	return c.DB.Fold(ctx)
}
