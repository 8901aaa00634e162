package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/terminal"
	"bascule/queue"
	"bascule/sql"
)

func (a *app) statusCommand() *cobra.Command {
	var batch int64
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how requests, spaces and mail stand",
		Long: `Shows how requests, spaces and mail stand, and why no mail leaves if that is known.

Environment: DATABASE_URL; REDIS_URL, optional, for the depth of the queue.`,
		Example: `  bascule status --watch
  bascule status --batch 3 --json`,
		Args: noArg,
	}
	a.addBatchTo(cmd, &batch, "only batch `N`")
	a.addJSONTo(cmd, "print one JSON object")
	cmd.Flags().BoolVar(&watch, "watch", false, "keep showing until interrupted")
	cmd.RunE = a.withDB(func(ctx context.Context, db *sql.DB, _ []string) error { return a.status(ctx, db, batch, watch) })
	return cmd
}

// watchEvery is how often --watch looks.
const watchEvery = 2 * time.Second

func (a *app) status(ctx context.Context, db *sql.DB, batch int64, watch bool) error {
	var q *queue.Client // nil without Redis
	if url, err := a.env.redisURL(); err == nil {
		if q, err = queue.Open(url); err != nil {
			return err
		}
		defer q.Close()
	}
	for {
		s, err := db.Status(ctx, batch)
		if watch && ctx.Err() != nil { // a signal ends the watch
			return nil
		}
		if err != nil {
			return err
		}
		if watch && !a.json && isTerminal(a.stdout.Writer) {
			a.printf(clearScreen)
		}
		if err = a.tell(terminal.NewStatus(s, batch, depthOf(ctx, q))); err != nil || !watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
	}
}

// depthOf is the depth of the queue; nil if it is not known.
func depthOf(ctx context.Context, q *queue.Client) *int {
	if q == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	n, err := q.Depth(ctx)
	if err != nil {
		return nil
	}
	return &n
}

// clearScreen moves a terminal's cursor home and clears what is below.
const clearScreen = "\x1b[H\x1b[J"
