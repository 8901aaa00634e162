package main

import (
	"context"
	"crypto/rand"
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
	var asJSON bool
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "check NAME",
		Short: "Tell whether a campaign is ready to start",
		Long: `Looks at all that must be right before the invitations of a campaign leave, and
tells each thing in a line: green, yellow or red, with a remedy. It asks the relay,
the pages at PUBLIC_URL and DNS. It fails if a line is red; bascule campaign start
then refuses, unless it is given --anyway.

Environment: DATABASE_URL; all that the workers and the pages have beside it, for what
is missing is a red line: ADMINISTRATION, HELP_TEXT_FILE, LEGAL_DIR, SECRET_KEY,
SMTP_URL, MAIL_FROM, BOUNCE_ADDRESS, PUBLIC_URL, HELP_HOURS, CODE_LIFETIME, MAIL_RATE;
DKIM_SELECTOR, optional, the name of the key by which the relay signs mails;
DNS_SERVER, optional, the resolver that it asks in place of the machine's.`,
		Example: "  bascule campaign check spring",
	})
	addJSONTo(cmd, &asJSON, "print one JSON object")
	cmd.RunE = a.withCampaign(a.withDB, func(ctx context.Context, db *sql.DB, p sql.CampaignProgress) error {
		lines, err := a.ready(ctx, db, p, p.CampaignSettings)
		if err != nil {
			return err
		}
		red := readiness.Reds(lines)
		err = a.tell(asJSON, terminal.Check{Campaign: p.Name, Ready: len(red) == 0, Lines: lines})
		if err == nil && len(red) > 0 {
			err = notReady(p.Name, red)
		}
		return err
	})
	return cmd
}

func notReady(name string, red []string) error {
	return fmt.Errorf("the campaign %q is not ready, these lines are red: %s; each has its remedy in `bascule campaign check %s`",
		name, strings.Join(red, ", "), terminal.ShellWord(name))
}

// mayStart returns an error unless the campaign is ready, or somebody gives a reason to
// start it anyway. Then it returns that reason, for the log.
func (a *app) mayStart(ctx context.Context, db *sql.DB, p sql.CampaignProgress, s sql.CampaignSettings, anyway string) (why string, err error) {
	lines, err := a.ready(ctx, db, p, s)
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

// ready judges whether a campaign may start with these settings. Only a failure of
// PostgreSQL is an error.
func (a *app) ready(ctx context.Context, db *sql.DB, p sql.CampaignProgress, s sql.CampaignSettings) ([]readiness.Line, error) {
	p.CampaignSettings = s
	status, err := db.Status(ctx, 0)
	if err != nil {
		return nil, err
	}
	asked := a.askOthers(ctx, status.Breaker)
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
	answers := asked()
	clocks := map[string]time.Duration{"this machine's clock": here}
	if !answers.date.IsZero() { // whole seconds, rounded down
		clocks["the clock of PUBLIC_URL"] = here + answers.date.Add(time.Second/2).Sub(answers.at)
	}
	lines := append(a.textLines(), a.keyLine(ctx, db), answers.relay, answers.pages)
	lines = append(lines, a.mailLines(p.Campaign, workers)...)
	lines = append(lines, answers.dns...)
	lines = append(lines, readiness.Clock(clocks))
	if free, ok := freeBytes(os.TempDir()); ok {
		lines = append(lines, readiness.Room(os.TempDir(), free))
	}
	return append(lines, planned), nil
}

// unset is a line that the environment leaves without an answer.
func unset(name string, err error) readiness.Line {
	return readiness.Bad(name, err.Error(), "give this command the environment of the workers and the pages")
}

// textLines judge whether subscribers read the operator's own texts.
func (a *app) textLines() []readiness.Line {
	var lines []readiness.Line
	by, err := a.env.administration()
	switch {
	case err != nil:
		lines = append(lines, unset("administration", err))
	case by.IsZero():
		lines = append(lines, readiness.Bad("administration", "mails and pages say nobody's name", "set ADMINISTRATION"))
	default:
		lines = append(lines, readiness.Good("administration", by.String()))
	}
	help, err := a.env.help()
	switch {
	case err != nil:
		lines = append(lines, unset("help", err))
	case help == strings.TrimSpace(defaultHelp):
		lines = append(lines, readiness.Bad("help", "the text about the assistance is the built-in one", "write your own and set HELP_TEXT_FILE"))
	default:
		lines = append(lines, readiness.Good("help", "the text about the assistance is your own"))
	}
	legal, err := a.env.legal()
	drafts := legal.Drafts()
	switch {
	case err != nil:
		return append(lines, unset("legal", err))
	case len(drafts) > 0:
		return append(lines, readiness.Bad("legal", "still a draft: "+strings.Join(drafts, ", "),
			"write "+strings.Join(web.LegalFiles, " and ")+", without a gap, and set LEGAL_DIR"))
	}
	return append(lines, readiness.Good("legal", "the legal pages are your own"))
}

func (a *app) keyLine(ctx context.Context, db *sql.DB) readiness.Line {
	keys, err := a.env.keys()
	if err != nil {
		return unset("keys", err)
	}
	if err := db.CheckKeys(ctx, keys); err != nil {
		return readiness.Bad("keys", err.Error(), "give all processes the same SECRET_KEY")
	}
	return readiness.Good("keys", "SECRET_KEY is the one of this database")
}

// mailLines judge whether a worker mails, and whether somebody looked at the mails.
func (a *app) mailLines(c sql.Campaign, workers []sql.Worker) []readiness.Line {
	office, _, err := a.env.office()
	if err != nil {
		return []readiness.Line{unset("workers", err), unset("trial", err)}
	}
	composer, err := mail.NewComposer(office)
	if err != nil {
		return []readiness.Line{unset("workers", err), unset("trial", err)}
	}
	list := make([]readiness.Worker, len(workers))
	for i, w := range workers {
		list[i] = readiness.Worker(w)
	}
	return []readiness.Line{
		readiness.Workers(list, sql.WorkerSilence, thisVersion().String(), composer.Digest("")),
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

// askOthers asks the relay, the pages and DNS at once. The returned function waits for
// all of them.
func (a *app) askOthers(ctx context.Context, breaker string) func() answers {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	var all answers
	var wg sync.WaitGroup
	wg.Go(func() { all.relay = a.relayLine(ctx, breaker) })
	wg.Go(func() {
		all.pages, all.date = a.pagesLine(ctx)
		all.at = time.Now()
	})
	wg.Go(func() { all.dns = a.dnsLines(ctx) })
	return func() answers {
		defer cancel()
		wg.Wait()
		return all
	}
}

func (a *app) relayLine(ctx context.Context, breaker string) readiness.Line {
	cfg, err := a.env.smtp()
	if err != nil {
		return unset("relay", err)
	}
	cfg.Hello = smtp.HostName()
	cfg.Limits = smtp.Limits{Connect: checkTimeout, Grace: time.Nanosecond}
	return readiness.Relay(ctx, cfg, breaker)
}

func (a *app) pagesLine(ctx context.Context) (readiness.Line, time.Time) {
	u, err := a.env.publicURL()
	if err != nil {
		return unset("pages", err), time.Time{}
	}
	keys, err := a.env.keys()
	if err != nil {
		return unset("pages", err), time.Time{}
	}
	challenge := rand.Text()
	site := readiness.Site{URL: u, Proof: web.ProofHeader, Challenge: challenge,
		Proves: func(answer string) bool { return keys.Proves(challenge, answer) }}
	return site.Ask(ctx)
}

func (a *app) dnsLines(ctx context.Context) []readiness.Line {
	by, _ := a.env.administration() // an error has a line of its own
	from, err := a.env.mailFrom(by)
	if err != nil {
		return []readiness.Line{unset("spf", err), unset("dmarc", err)}
	}
	back, err := a.env.bounceAddress()
	if err != nil {
		return []readiness.Line{unset("spf", err)}
	}
	if back.IsZero() {
		back = from.Address
	}
	resolver, err := a.env.resolver()
	if err != nil {
		return []readiness.Line{unset("spf", err), unset("dmarc", err)}
	}
	selector, err := a.env.dkimSelector()
	if err != nil {
		return []readiness.Line{unset("dkim", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	return readiness.DNS(ctx, resolver, readiness.Sender{From: domainOf(from.Address), Return: domainOf(back), Selector: selector})
}

func domainOf(e conversion.Email) string {
	_, domain, _ := strings.Cut(e.Key(), "@")
	return domain
}
