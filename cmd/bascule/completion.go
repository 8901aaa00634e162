package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"bascule/sql"
)

const (
	// completionPatience is how long a shell waits for the database.
	completionPatience = 2 * time.Second
	// maxCompletions is how many batches or campaigns a terminal shows at once.
	maxCompletions = 40
)

// completeBatches offers the latest batches to a shell, with their files.
func (a *app) completeBatches(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(cmd.Context(), func(ctx context.Context, db *sql.DB) (names []cobra.Completion, err error) {
		batches, err := db.Batches(ctx, maxCompletions)
		for _, b := range batches {
			names = append(names, cobra.CompletionWithDesc(strconv.FormatInt(b.ID, 10), b.FileName))
		}
		return names, err
	})
}

// completeCampaigns offers the campaigns to a shell as the only argument.
func (a *app) completeCampaigns(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeCampaign(cmd, args, typed)
}

// completeCampaign offers the campaigns to a shell, with their states, whatever
// arguments come before.
func (a *app) completeCampaign(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(cmd.Context(), func(ctx context.Context, db *sql.DB) (names []cobra.Completion, err error) {
		campaigns, err := db.Campaigns(ctx)
		for _, c := range campaigns[:min(len(campaigns), maxCompletions)] {
			names = append(names, cobra.CompletionWithDesc(c.Name, string(c.State)))
		}
		return names, err
	})
}

// offer completes from the database. If that does not answer, it offers nothing: a shell
// would show an error as a choice.
func (a *app) offer(ctx context.Context, list func(context.Context, *sql.DB) ([]cobra.Completion, error)) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(ctx, completionPatience)
	defer cancel()
	db, err := a.openDB(ctx, sql.Open, 1)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer db.Close()
	names, err := list(ctx, db)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeFiles completes file names with one of these endings.
func completeFiles(endings ...cobra.Completion) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return endings, cobra.ShellCompDirectiveFilterFileExt
	}
}
