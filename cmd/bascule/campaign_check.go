package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/mail"
	"bascule/internal/plan"
	"bascule/internal/readiness"
	"bascule/internal/smtp"
	"bascule/internal/terminal"
	"bascule/internal/web"
	"bascule/sql"
)

func (a *app) campaignCheck() *cobra.Command {
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "check NAME",
		Short: "Tell whether a campaign is ready to start",
		Long: `Looks at all that must be right before the invitations of a campaign leave, and
tells each thing in a line: green, yellow or red, with a remedy. It asks the relay,
the pages at PUBLIC_URL and DNS. It fails if a line is red; bascule campaign start
then refuses, unless it is given --anyway.

Environment: DATABASE_URL; all that the workers and the pages have beside it, for what
is missing is a red line: ADMINISTRATION, HELP_TEXT_FILE, LEGAL_DIR, SECRET_KEY,
SMTP_URL, MAIL_FROM, BOUNCE_ADDRESS, PUBLIC_URL, HELP_HOURS, CODE_LIFETIME, MAIL_RATE,
FOUR_EYES;
DKIM_SELECTOR, optional, the name of the key by which the relay signs mails;
DNS_SERVER, optional, the resolver that it asks in place of the machine's.`,
		Example: "  bascule campaign check spring",
	})
	a.addJSONTo(cmd, "print one JSON object")
	cmd.RunE = a.withDB(onCampaign(func(ctx context.Context, db *sql.DB, p sql.CampaignProgress) error {
		lines, err := a.ready(ctx, db, p)
		if err != nil {
			return err
		}
		red := readiness.Reds(lines)
		err = a.tell(terminal.Check{Campaign: p.Name, Ready: len(red) == 0, Lines: lines, Prepared: p.State == sql.CampaignPrepared})
		if err == nil && len(red) > 0 {
			err = notReady(p.Name, red)
		}
		return err
	}))
	return cmd
}

func notReady(name string, red []string) error {
	return fmt.Errorf("the campaign %q is not ready, these lines are red: %s; each has its remedy in `bascule campaign check %s`",
		name, strings.Join(red, ", "), terminal.ShellWord(name))
}

// mayStart returns an error unless the campaign is ready, or somebody gives a reason to
// start it anyway. Then it returns that reason, for the log.
func (a *app) mayStart(ctx context.Context, db *sql.DB, p sql.CampaignProgress, anyway string) (why string, err error) {
	lines, err := a.ready(ctx, db, p)
	if err != nil {
		return "", err
	}
	red := readiness.Reds(lines)
	switch {
	case len(red) > 0 && anyway != "":
		return anyway + " (red: " + strings.Join(red, ", ") + ")", nil
	case len(red) > 0:
		return "", fmt.Errorf("%w; --anyway REASON starts it all the same", notReady(p.Name, red))
	case anyway != "":
		return anyway + " (nothing was red)", nil
	}
	return "", nil
}

// These limits keep a check that asks others within seconds.
const (
	checkTimeout = 10 * time.Second
	dnsTimeout   = 5 * time.Second
)

// ready judges whether a campaign may start with its settings in p. Only a failure of
// PostgreSQL is an error.
func (a *app) ready(ctx context.Context, db *sql.DB, p sql.CampaignProgress) ([]readiness.Line, error) {
	status, err := db.Status(ctx, 0)
	if err != nil {
		return nil, err
	}
	workers, err := db.Workers(ctx)
	if err != nil {
		return nil, err
	}
	planned, err := a.planLine(ctx, db, p)
	if err != nil {
		return nil, err
	}
	here, err := db.ClockDifference(ctx)
	if err != nil {
		return nil, err
	}
	answers := a.askOthers(ctx, status.Breaker)
	clocks := map[string]time.Duration{"this machine's clock": here}
	if !answers.date.IsZero() { // whole seconds, rounded down
		clocks["the clock of PUBLIC_URL"] = here + answers.date.Add(time.Second/2).Sub(answers.at)
	}
	launch, err := launchLines(ctx, db, p.Campaign)
	if err != nil {
		return nil, err
	}
	lines := append(a.textLines(), a.keyLine(ctx, db), answers.relay, answers.pages)
	lines = append(lines, a.mailLines(p.Campaign, workers)...)
	lines = append(lines, answers.dns...)
	lines = append(lines, readiness.Clock(clocks))
	if free, ok := freeBytes(os.TempDir()); ok {
		lines = append(lines, readiness.Room(os.TempDir(), free))
	}
	return append(append(lines, launch...), planned), nil
}

// launchLines has a red line if whoever runs the command prepared the campaign (D18).
func launchLines(ctx context.Context, db *sql.DB, c sql.Campaign) ([]readiness.Line, error) {
	err := db.CheckLaunch(ctx, c, actor())
	if _, ok := errors.AsType[*sql.FourEyesError](err); ok {
		return []readiness.Line{readiness.Bad("launch", "above FOUR_EYES mails, somebody else launches than "+actor()+", who prepared it",
			"have a person start it who has not prepared it")}, nil
	}
	return nil, err
}

// unset is a line that the environment leaves without an answer.
func unset(name string, err error) readiness.Line {
	return readiness.Bad(name, err.Error(), "give this command the environment of the workers and the pages")
}

// judged is the line about a value of the environment.
func judged[T any](name string, read func() (T, error), judge func(T) readiness.Line) readiness.Line {
	v, err := read()
	if err != nil {
		return unset(name, err)
	}
	return judge(v)
}

// textLines judge whether subscribers read the operator's own texts.
func (a *app) textLines() []readiness.Line {
	return []readiness.Line{
		judged("administration", a.env.administration, func(by conversion.Administration) readiness.Line {
			if by.IsZero() {
				return readiness.Bad("administration", "mails and pages say nobody's name", "set ADMINISTRATION")
			}
			return readiness.Good("administration", by.String())
		}),
		judged("help", a.env.help, func(text string) readiness.Line {
			if text == strings.TrimSpace(defaultHelp) {
				return readiness.Bad("help", "the text about the assistance is the built-in one", "write your own and set HELP_TEXT_FILE")
			}
			return readiness.Good("help", "the text about the assistance is your own")
		}),
		judged("legal", a.env.legal, func(own web.Legal) readiness.Line {
			if drafts := own.Drafts(); len(drafts) > 0 {
				return readiness.Bad("legal", "still a draft: "+strings.Join(drafts, ", "),
					"write "+strings.Join(web.LegalFiles, " and ")+", without a gap, and set LEGAL_DIR")
			}
			return readiness.Good("legal", "the legal pages are your own")
		}),
	}
}

func (a *app) keyLine(ctx context.Context, db *sql.DB) readiness.Line {
	return judged("keys", a.env.keys, func(keys *conversion.Keyring) readiness.Line {
		if err := db.CheckKeys(ctx, keys); err != nil {
			return readiness.Bad("keys", err.Error(), "give all processes the same SECRET_KEY")
		}
		return readiness.Good("keys", "SECRET_KEY is the one of this database")
	})
}

// mailLines judge whether a worker mails, and whether somebody looked at the mails.
func (a *app) mailLines(c sql.Campaign, workers []sql.Worker) []readiness.Line {
	office, _, err := a.env.office()
	composer := take(&err, func() (*mail.Composer, error) { return mail.NewComposer(office) })
	if err != nil {
		return []readiness.Line{unset("workers", err), unset("trial", err)}
	}
	return []readiness.Line{
		readiness.Workers(workers, thisVersion().String(), composer.Digest("")),
		readiness.Trial(c.Tried, composer.Digest(c.Message), fmt.Sprintf("send yourself one: `bascule campaign preview %s --to ADDRESS`", terminal.ShellWord(c.Name))),
	}
}

func (a *app) planLine(ctx context.Context, db *sql.DB, p sql.CampaignProgress) (readiness.Line, error) {
	f, err := a.foresight(ctx, db, p, func(*plan.Brakes) {})
	if err != nil {
		return readiness.Line{}, err
	}
	return readiness.Plan(readiness.Forecast{Mails: f.Mails, Late: f.Late, Already: min(f.Dead, f.Late), Stay: f.Never + f.Beyond}), nil
}

// answers are the answers of the relay, the pages and DNS.
type answers struct {
	relay, pages readiness.Line
	dns          []readiness.Line
	date, at     time.Time // of the pages' answer: as it says, and by the clock of this machine
}

// askOthers asks the relay, the pages and DNS at once.
func (a *app) askOthers(ctx context.Context, breaker string) (all answers) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { all.relay = a.relayLine(ctx, breaker) })
	wg.Go(func() {
		all.pages, all.date = a.pagesLine(ctx)
		all.at = time.Now()
	})
	wg.Go(func() { all.dns = a.dnsLines(ctx) })
	wg.Wait()
	return all
}

func (a *app) relayLine(ctx context.Context, breaker string) readiness.Line {
	return judged("relay", a.env.smtp, func(cfg smtp.Config) readiness.Line {
		cfg.Limits = smtp.Limits{Connect: checkTimeout, Grace: time.Nanosecond}
		return readiness.Relay(ctx, cfg, breaker)
	})
}

func (a *app) pagesLine(ctx context.Context) (line readiness.Line, date time.Time) {
	var err error
	u, keys := take(&err, a.env.publicURL), take(&err, a.env.keys)
	if err != nil {
		return unset("pages", err), date
	}
	challenge := rand.Text()
	site := readiness.Site{URL: u, Proof: web.ProofHeader, Challenge: challenge,
		Proves: func(answer string) bool { return keys.Proves(challenge, answer) }}
	return site.Ask(ctx)
}

func (a *app) dnsLines(ctx context.Context) []readiness.Line {
	by, _ := a.env.administration() // an error has a line of its own
	var err error
	from := take(&err, func() (mail.Sender, error) { return a.env.mailFrom(by) })
	back, selector, resolver := take(&err, a.env.bounceAddress), take(&err, a.env.dkimSelector), take(&err, a.env.resolver)
	if err != nil {
		return []readiness.Line{unset("spf", err), unset("dmarc", err)}
	}
	if back.IsZero() {
		back = from.Address
	}
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	return readiness.DNS(ctx, resolver, readiness.Sender{From: from.Address.Domain(), Return: back.Domain(), Selector: selector})
}
