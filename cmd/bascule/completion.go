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

// completeBatches offers the latest batches to a shell, with their files. If the
// database does not answer, it offers nothing: a shell would show an error as a choice.
func (a *app) completeBatches(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	db, err := a.openDB(ctx, sql.Open, 1)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer db.Close()
	batches, err := db.Batches(ctx, maxCompletions)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := make([]cobra.Completion, len(batches))
	for i, b := range batches {
		names[i] = cobra.CompletionWithDesc(strconv.FormatInt(b.ID, 10), b.FileName)
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeCampaigns offers the campaigns to a shell, with their states.
func (a *app) completeCampaigns(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	db, err := a.openDB(ctx, sql.Open, 1)
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer db.Close()
	campaigns, err := db.Campaigns(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	campaigns = campaigns[:min(len(campaigns), maxCompletions)]
	names := make([]cobra.Completion, len(campaigns))
	for i, c := range campaigns {
		names[i] = cobra.CompletionWithDesc(c.Name, string(c.State))
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeCampaignFlag offers the campaigns as the value of a flag, whatever arguments
// come before it.
func (a *app) completeCampaignFlag(cmd *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.completeCampaigns(cmd, nil, toComplete)
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
