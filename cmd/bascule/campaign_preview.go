package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/atomicfile"
	"bascule/internal/conversion"
	"bascule/internal/mail"
	"bascule/internal/smtp"
	"bascule/internal/terminal"
	"bascule/sql"
)

func (a *app) campaignPreview() *cobra.Command {
	var dir, file string
	var to conversion.Email
	cmd := &cobra.Command{
		Use:   "preview NAME [NUMBER...]",
		Short: "Write or send real mails of a campaign as a trial",
		Long: `Writes invitations that a campaign holds as files, or sends them to one address, to
look at them before any leaves: those of the numbers given, or else the one with the
longest holder, one whose address has several spaces, the one of the last certificate
and the one that leaves first. « ESSAI » stands in the subject and the first line, and
the code opens nothing. The log of the campaign tells that it was done.

Environment: DATABASE_URL, MAIL_FROM, PUBLIC_URL; with --to SMTP_URL, and
BOUNCE_ADDRESS, optional; ADMINISTRATION, HELP_TEXT_FILE and CODE_LIFETIME, optional,
as the workers have them.`,
		Example: `  bascule campaign preview spring --out trial
  bascule campaign preview spring 00123456 --to me@office.example`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("an argument is needed, NAME")
			}
			return parseCampaign(args)
		},
		ValidArgsFunction: a.completeCampaigns,
	}
	cmd.Flags().Var(parsing(&dir, given), "out", "write one .eml file for each mail into the folder `DIR`")
	cmd.Flags().Var(parsing(&to, conversion.ParseEmail), "to", "send them by the relay to this `ADDRESS` alone")
	cmd.Flags().StringVar(&file, "message", "", "as if the message in this `FILE` were that of the campaign, see bascule campaign set")
	cmd.MarkFlagsOneRequired("out", "to")
	cmd.MarkFlagsMutuallyExclusive("out", "to")
	cmd.RunE = a.withWriter(func(ctx context.Context, db *sql.DB, args []string) error {
		said := (*string)(nil)
		if cmd.Flags().Changed("message") {
			said = &file
		}
		t, err := a.trial(ctx, db, args, said)
		if err != nil {
			return err
		}
		if dir != "" {
			return a.writeTrial(ctx, db, t, dir)
		}
		return a.sendTrial(ctx, db, t, to)
	})
	return cmd
}

// A trial is a set of mails of a campaign, to be looked at.
type trial struct {
	campaign sql.Campaign
	from     mail.Sender
	texts    string // their digest
	mails    []mail.Message
	numbers  []conversion.SubscriberNumber // of the mails
}

// trial writes mails with the message in a file; with that of the campaign if file is nil.
func (a *app) trial(ctx context.Context, db *sql.DB, args []string, file *string) (t trial, err error) {
	numbers, err := parseNumbers(args[1:])
	if err != nil {
		return t, err
	}
	office, host, err := a.env.office()
	lifetime := take(&err, a.env.codeLifetime)
	if err != nil {
		return t, err
	}
	composer, err := mail.NewComposer(office)
	if err != nil {
		return t, err
	}
	if t.campaign, err = db.Campaign(ctx, args[0]); err != nil {
		return t, err
	}
	said := t.campaign.Message
	if file != nil {
		if said, err = a.message(*file); err != nil {
			return t, err
		}
	}
	held, err := db.Previews(ctx, t.campaign, numbers)
	if err != nil {
		return t, err
	}
	if len(held) == 0 || len(held) < len(numbers) {
		return t, fmt.Errorf("the campaign %q does not hold what was asked for: `bascule campaign show %s` tells what it holds", t.campaign.Name, terminal.ShellWord(t.campaign.Name))
	}
	at, err := db.Now(ctx)
	if err != nil {
		return t, err
	}
	t.from, t.texts = office.From, composer.Digest(said)
	for i, p := range held {
		id := fmt.Sprintf("trial.%d.%d@%s", at.UnixMicro(), i, host)
		t.numbers = append(t.numbers, p.Number)
		t.mails = append(t.mails, composer.Write(mail.Letter{
			Head: mail.Head{ID: id, Date: at.Truncate(time.Second), To: p.Contact}, Kind: mail.KindCode, Trial: true,
			Number: p.Number, Holder: p.Holder, Deadline: at.Add(lifetime), Certificate: p.Certificate.Expires, Sharing: p.Sharing, Taken: p.Taken, Message: said,
		}))
	}
	return t, nil
}

func (a *app) writeTrial(ctx context.Context, db *sql.DB, t trial, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for i, m := range t.mails {
		path := filepath.Join(dir, string(t.numbers[i])+".eml")
		if err := atomicfile.WriteBytes(path, m.Bytes()); err != nil {
			return err
		}
		a.printf("%s\n", path)
	}
	return a.noteTrial(ctx, db, t, "written", "")
}

func (a *app) sendTrial(ctx context.Context, db *sql.DB, t trial, to conversion.Email) error {
	var err error
	cfg, from := take(&err, a.env.smtp), take(&err, a.env.bounceAddress)
	if err != nil {
		return err
	}
	if from.IsZero() {
		from = t.from.Address
	}
	relay := smtp.NewClient(cfg, 1)
	defer relay.Close()
	write := func(i int) (smtp.Message, error) {
		return smtp.Message{Envelope: smtp.Envelope{From: from, To: to}, Body: t.mails[i].Bytes()}, nil
	}
	var failed error
	relay.Send(ctx, len(t.mails), write, nil, func(_ int, o smtp.Outcome) {
		if o.Kind != smtp.Accepted && failed == nil {
			failed = fmt.Errorf("the relay did not take the trial: %s", o)
		}
	})
	if failed != nil {
		return failed
	}
	return a.noteTrial(ctx, db, t, "sent", t.texts)
}

// noteTrial records the trial, without the address (I9). texts is the digest of what
// somebody was sent, "" if nobody was.
func (a *app) noteTrial(ctx context.Context, db *sql.DB, t trial, how, texts string) error {
	what := fmt.Sprintf("%s %s", terminal.Count(len(t.mails), "mail", "mails"), how)
	if err := db.NotePreview(ctx, t.campaign, what, texts, actor()); err != nil {
		return err
	}
	a.printf("Trial of the campaign %s: %s, marked « ESSAI »; their code opens nothing.\n", t.campaign.Name, what)
	return nil
}
