package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"bascule/importer"
	"bascule/internal/atomicfile"
	"bascule/internal/certificate"
	"bascule/internal/devenv"
	"bascule/internal/terminal"
	"bascule/sql"
)

// sampleSheet is the sample in the folder; the guide's examples have that name.
const sampleSheet = "certificats.xlsx"

// checkSheet refuses a file as an import does, before the demonstration makes anything.
func checkSheet(ctx context.Context, file string) error {
	if file == "" {
		return nil
	}
	f, err := importer.Open(ctx, file, nil)
	if err != nil {
		return err
	}
	return f.Close()
}

// prepare imports the file as a held campaign. Without a file, it goes on with the
// first campaign of an earlier run, or imports the sample.
func (d *demo) prepare(ctx context.Context, file string) error {
	if file != "" {
		return d.importSheet(ctx, file, nil) // its issuers are not our authority
	}
	sheet := filepath.Join(d.Dir, sampleSheet)
	known, err := d.db.Campaigns(ctx)
	if err != nil {
		return err
	}
	if len(known) > 0 {
		d.campaign = known[len(known)-1].Name
	} else if err := d.importSample(ctx, sheet); err != nil {
		return err
	}
	if _, err := os.Stat(sheet); errors.Is(err, os.ErrNotExist) { // the earlier run was of another file
		return nil
	}
	return d.certs.issueSamples(ctx, sheet)
}

func (d *demo) importSample(ctx context.Context, sheet string) error {
	if err := writeSample(sheet); err != nil {
		return err
	}
	return d.importSheet(ctx, sheet, d.certs.store)
}

func (d *demo) importSheet(ctx context.Context, path string, certificates *certificate.Store) error {
	if err := d.db.LearnKeys(ctx, d.web.Keys, sql.KeyUse{Worker: true}); err != nil {
		return err
	}
	verdicts := filepath.Join(d.Dir, "verdicts.xlsx")
	if importer.CheckVerdictsPath(path, verdicts) != nil || atomicfile.Free(verdicts, importer.VerdictsKind) != nil { // corrected there: they stay
		verdicts = ""
	}
	result, err := importer.Run(ctx, d.db, importer.Options{Path: path, VerdictsPath: verdicts, Actor: "demo", Keys: d.web.Keys, Certificates: certificates,
		Warn: func(w importer.Warning) { d.Note(w.English) }})
	if err != nil {
		return err
	}
	d.campaign = result.Campaign
	d.printf("%s, ", path)
	terminal.Import{ImportResult: result, Verdicts: verdicts}.Print(d.Out)
	return nil
}

// pilot is how many mails a pilot of the demonstration sends.
const pilot = 10

// startPilot starts the campaign with a pilot.
func (d *demo) startPilot(ctx context.Context, p sql.CampaignProgress) error {
	return d.db.StartCampaign(ctx, p.Name, func(s *sql.CampaignSettings) { s.Pilot = p.Started + pilot }, "", "demo")
}

// The buttons of the panel.
const (
	pressPilot  = "pilot"
	pressStart  = "start"
	pressPause  = "pause"
	pressResume = "resume"
)

// panelOf has the word and the buttons for each state of the campaign.
var panelOf = map[sql.CampaignState]struct {
	word    string
	buttons []devenv.Button
}{
	sql.CampaignPrepared: {"préparée", []devenv.Button{
		{Name: pressPilot, Label: fmt.Sprintf("Lancer un pilote de %d courriels", pilot)}, {Name: pressStart, Label: "Lancer la campagne"}}},
	sql.CampaignRunning:   {"lancée", []devenv.Button{{Name: pressPause, Label: "Mettre en pause"}}},
	sql.CampaignPaused:    {"en pause", []devenv.Button{{Name: pressResume, Label: "Continuer"}}},
	sql.CampaignCancelled: {"annulée", nil},
	sql.CampaignClosed:    {"close", nil},
}

// showPanel shows the state of the campaign above the inbox, with buttons to steer it.
func (d *demo) showPanel(ctx context.Context) (string, []devenv.Button, error) {
	p, err := d.db.Progress(ctx, d.campaign)
	if err != nil {
		return "", nil, err
	}
	of := panelOf[p.State]
	return fmt.Sprintf("La campagne «\u00a0%s\u00a0» est %s\u00a0: %s, %s.", p.Name, of.word,
		frenchCount(p.Started, "invitation partie", "invitations parties"), frenchCount(p.Held, "retenue", "retenues")), of.buttons, nil
}

func frenchCount(n int, one, more string) string {
	if n < 2 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %s", n, more)
}

// press does the work of a button. An action that is not possible any more changes
// nothing.
func (d *demo) press(ctx context.Context, button string) error {
	p, err := d.db.Progress(ctx, d.campaign)
	if err != nil {
		return err
	}
	switch button {
	case pressPilot:
		err = d.startPilot(ctx, p)
	case pressStart:
		err = d.db.StartCampaign(ctx, p.Name, func(*sql.CampaignSettings) {}, "", "demo")
	case pressPause:
		err = d.db.PauseCampaign(ctx, p.Name, "", "demo")
	case pressResume:
		err = d.db.ResumeCampaign(ctx, p.Name, "demo")
	}
	if _, moved := errors.AsType[*sql.CampaignStateError](err); moved {
		return nil
	}
	return err
}

// welcome tells the parts of the demonstration, and the next steps.
func (d *demo) welcome(ctx context.Context) error {
	p, err := d.db.Progress(ctx, d.campaign)
	if err != nil {
		return err
	}
	number, err := d.someNumber(ctx, p)
	if err != nil {
		return err
	}
	env := terminal.ShellWord(os.Args[0]) + " demo --env"
	if d.Dir != Dir {
		env += " --dir " + terminal.ShellWord(d.Dir)
	}
	d.printf(`
The campaign %[1]s is %[2]s: %[3]d invitations have left, %[4]d are held.

  %[5]s/inbox   the mails of all subscribers, and a button that starts the campaign
  %[5]s/        the pages as subscribers see them

No mail leaves this machine. To try the commands, in another terminal:

  eval "$(%[6]s)"

`, p.Name, p.State, p.Started, p.Held, d.public, env)
	for _, step := range steps(p.Name, number) {
		d.printf("  %-60s # %s\n", step.command, step.does)
	}
	d.welcomeCertificates()
	d.printf("\nEverything is kept in %s. Stop with Ctrl-C.\n", d.Dir)
	return nil
}

// someNumber is a subscriber of the campaign: the first to be invited, or one with a
// certificate to try.
func (d *demo) someNumber(ctx context.Context, p sql.CampaignProgress) (string, error) {
	held, err := d.db.Previews(ctx, p.Campaign, nil)
	switch {
	case err != nil:
		return "", err
	case len(held) > 0:
		return string(held[0].Number), nil
	case len(d.certs.samples) > 0:
		return string(d.certs.samples[0].number), nil
	}
	return "NUMBER", nil
}

// A step is a command to try next.
type step struct{ command, does string }

// steps are the course of a campaign.
func steps(campaign, number string) []step {
	c := terminal.ShellWord(campaign)
	return []step{
		{"bascule campaign show " + c, "how it stands"},
		{"bascule campaign plan " + c + " --per-day 20", "what would leave on which day"},
		{"bascule campaign preview " + c + " --to me@office.example", "a trial: look into the inbox"},
		{"bascule campaign check " + c, "whether it is ready"},
		{fmt.Sprintf("bascule campaign start %s --pilot %d", c, pilot), "a few; then it pauses itself"},
		{"bascule campaign resume " + c, "the others; activate some"},
		{"bascule show " + number, "one subscriber's story"},
		{"bascule status", "how all of it stands"},
		{"bascule report report.xlsx --campaign " + c, "what became of each row"},
		{"bascule campaign close " + c, "nothing more is sent"},
	}
}

func (d *demo) welcomeCertificates() {
	if len(d.certs.samples) == 0 {
		return
	}
	d.printf(`
To enter a space with its certificate, import one of these into the browser
(passphrase: %s), then open %s/certificat
The browser does not know this server's authority and warns of it; %s is its certificate.

`, passphrase, d.certs.url(), d.certs.authority.CAFile())
	for _, c := range d.certs.samples {
		d.printf("  %s   %s\n", c.path, c.screen)
	}
}
