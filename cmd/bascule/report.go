package main

import (
	"context"
	"iter"

	"github.com/spf13/cobra"

	"bascule/internal/report"
	"bascule/sql"
)

func (a *app) reportCommand() *cobra.Command {
	var batch batchNumber
	var force bool
	cmd := &cobra.Command{
		Use:   "report OUT.xlsx",
		Short: "Write the workbook that tells what became of every row",
		Long: `Writes the workbook that tells what became of every row. It names subscribers: its
owner alone may read it (0600). A file of that name is replaced only if it is a
report that nobody changed since, or with --force.

Environment: DATABASE_URL.`,
		Example: `  bascule report report.xlsx
  bascule report lot3.xlsx --batch 3`,
		Args:              oneArg("OUT.xlsx"),
		ValidArgsFunction: completeFiles("xlsx"),
	}
	batch.addTo(cmd, a, "only this batch")
	addForceTo(cmd, &force)
	write := a.withDB(func(ctx context.Context, db *sql.DB, args []string) error {
		if err := writeReport(ctx, db, args[0], int64(batch)); err != nil {
			return err
		}
		a.printf("%s is written.\n", args[0])
		return nil
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkOutput(args[0], report.Kind, force); err != nil {
			return err
		}
		return write(cmd, args)
	}
	return cmd
}

// writeReport writes one consistent picture to a workbook, whole or not at all (I7).
func writeReport(ctx context.Context, db *sql.DB, path string, batch int64) error {
	return db.ReadReport(ctx, batch, func(r sql.Report) error {
		return report.WriteFile(path, report.Report{
			GeneratedAt: r.At, Batch: batch, FileName: r.FileName, Spaces: r.Spaces,
			Requests: mapSeq(r.Requests, reportRequest), Rejected: mapSeq(r.Rejected, reportRejected),
		})
	})
}

// frenchOrigins are what an administrator reads for a request's origin (D7).
var frenchOrigins = map[string]string{"import": "lot", "retry": "relance", "space": "espace abonné"}

func reportRequest(r sql.ReportRequest) report.Request {
	return report.Request{
		ID: r.ID, Number: string(r.Number), Holder: r.Holder, Email: r.Email, Batch: r.Batch, State: r.State,
		Origin: frenchOrigins[r.Origin], Generation: r.Generation, InDoubt: r.InDoubt,
		RequestedAt: r.RequestedAt, StartedAt: r.StartedAt, MailedAt: r.MailedAt, ExpiresAt: r.ExpiresAt,
		ActivatedAt: r.ActivatedAt, EndedAt: r.EndedAt, BouncedAt: r.BouncedAt, Bounce: r.Bounce, NotDelivered: r.NotDelivered,
		CertificateExpires: r.CertificateExpires, Reason: r.Refusal,
	}
}

func reportRejected(r sql.ReportRejected) report.Rejected {
	return report.Rejected{Batch: r.Batch, FileName: r.FileName, Line: r.Line, Excluded: r.Verdict == "excluded", Cell: r.Cell, Reason: r.Reason, Number: r.Number}
}

func mapSeq[A, B any](in iter.Seq2[A, error], f func(A) B) iter.Seq2[B, error] {
	return func(yield func(B, error) bool) {
		for a, err := range in {
			if !yield(f(a), err) {
				return
			}
		}
	}
}
