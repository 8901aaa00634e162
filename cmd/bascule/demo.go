package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/demo"
	"bascule/internal/listen"
	"bascule/internal/report"
	"bascule/internal/web"
	"bascule/jobs"
	"bascule/sql"
)

func (a *app) demoCommand() *cobra.Command {
	var c demo.Config
	var env bool
	var addr string
	cmd := &cobra.Command{
		Use:   "demo [FILE]",
		Short: "Run everything on this machine with a campaign and an inbox in the browser",
		Long: `Runs the pages and a worker with services of its own (PostgreSQL from this
machine's programs, Redis and a mail server in the process), imports FILE, or a
sample of fictitious subscribers, as a campaign that is held, and shows its mails at
/inbox: none leaves this machine, whatever addresses FILE has. It reads no
DATABASE_URL, REDIS_URL, SMTP_URL or SECRET_KEY, and listens on loopback only.
It may be run again on the same folder.

With --env it prints, for a shell, the environment in which every other command
works on the demonstration that runs in the folder.`,
		Example: `  bascule demo
  bascule demo list.xlsx --dir /tmp/training
  bascule demo --auto --dir /tmp/demo
  eval "$(bascule demo --env)"`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeFiles("xlsx", "csv"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case !env:
				c.Sheet = append(args, "")[0]
				return a.demo(cmd.Context(), addr, c)
			case len(args) > 0:
				return usagef("--env is of a demonstration that runs, and takes no FILE")
			}
			lines, err := demo.Environment(c.Dir)
			a.printf("%s", lines)
			return err
		},
	}
	cmd.Flags().BoolVar(&c.Auto, "auto", false, "play the campaign and its subscribers, leave report, recaps and mails in the folder, and exit")
	cmd.Flags().BoolVar(&env, "env", false, "print the environment of the demonstration that runs in the folder")
	c.Dir = demo.Dir
	cmd.Flags().Var(&parsed[string]{&c.Dir, given, demo.Dir}, "dir", "the `folder` where the demonstration keeps its data")
	cmd.Flags().StringVar(&addr, "listen", listen.Default, "the `address` of the pages, on loopback")
	cmd.MarkFlagsMutuallyExclusive("env", "auto")
	cmd.MarkFlagsMutuallyExclusive("env", "listen")
	return cmd
}

func (a *app) demo(ctx context.Context, addr string, c demo.Config) (err error) {
	if c.Listener, err = listenLoopback(addr); err != nil {
		return err
	}
	defer c.Listener.Close()
	c.Getenv, c.Out, c.Note = a.env.getenv, a.stdout, a.note
	c.Log = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	c.Pages = func(getenv func(string) string) (web.Config, error) {
		return (&app{env: environment{getenv}}).webConfig()
	}
	c.Worker = func(getenv func(string) string) (jobs.Config, error) {
		return (&app{env: environment{getenv}}).workConfig()
	}
	c.Report = func(ctx context.Context, db *sql.DB, path string, by conversion.Administration) error {
		return writeReport(ctx, db, path, by, sql.Scope{}, report.WriteFile)
	}
	return demo.Run(ctx, c)
}

// listenLoopback refuses addresses that other machines can reach, as the inbox shows
// every mail to every visitor.
func listenLoopback(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usagef("--listen %q is not of the form 127.0.0.1:8080", addr)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, usagef("--listen %s is not on loopback: the demonstration shows everybody's mails and stays on this machine", addr)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w: choose another address with --listen 127.0.0.1:0", err)
	}
	return ln, nil
}
