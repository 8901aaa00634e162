package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bascule/internal/atomicfile"
	"bascule/internal/devenv"
	"bascule/internal/terminal"
	"bascule/sql"
)

// autoTimeout is the longest time of the whole play.
const autoTimeout = 2 * time.Minute

// lastPlayed is the last mail that auto plays: the user's own file may be long.
const lastPlayed = 100

// auto plays the campaign from its pilot to its end, and its subscribers through the
// real pages. Three in four activate. If an address is taken, the subscriber chooses
// another one and proves it. It leaves the report, the recaps and the mails, and tells
// the outcome.
func (d *demo) auto(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, autoTimeout)
	defer cancel()
	if err := d.launch(ctx); err != nil {
		return err
	}
	for _, m := range d.inbox.Messages() {
		letter, ok := devenv.ReadLetter(m)
		if !ok || m.ID%4 == 0 || m.ID > lastPlayed {
			continue
		}
		if err := d.play(ctx, letter); err != nil {
			return fmt.Errorf("play the subscriber of mail %d: %w", m.ID, err)
		}
	}
	if err := d.settle(ctx); err != nil {
		return err
	}
	return errors.Join(d.end(ctx), d.leave(ctx))
}

// launch sends the invitations: a pilot, which pauses itself, then the others. An
// earlier run may have done so.
func (d *demo) launch(ctx context.Context) error {
	p, err := d.db.Progress(ctx, d.campaign)
	if err != nil {
		return err
	}
	if p.State == sql.CampaignPrepared {
		if err := d.startPilot(ctx, p); err != nil {
			return err
		}
		if p, err = d.settled(ctx); err != nil {
			return err
		}
	}
	if p.State == sql.CampaignPaused {
		d.printf("\nPaused (%s) after %d invitations, %d are held. It goes on.\n", p.Why, p.Started, p.Held)
		if err := d.db.ResumeCampaign(ctx, p.Name, "demo"); err != nil {
			return err
		}
	}
	if p, err = d.settled(ctx); err != nil {
		return err
	}
	d.printf("%d invitations have left, %d are held. Subscribers activate.\n", p.Started, p.Held)
	return nil
}

// settled is how the campaign stands once nothing is due.
func (d *demo) settled(ctx context.Context) (sql.CampaignProgress, error) {
	if err := d.settle(ctx); err != nil {
		return sql.CampaignProgress{}, err
	}
	return d.db.Progress(ctx, d.campaign)
}

// end closes the campaign, unless an earlier run has.
func (d *demo) end(ctx context.Context) error {
	_, err := d.db.CloseCampaign(ctx, d.campaign, "all is played", "demo")
	if _, over := errors.AsType[*sql.CampaignStateError](err); over {
		return nil
	}
	return err
}

// settle waits until no mail and no recap is due any more.
func (d *demo) settle(ctx context.Context) error {
	for {
		s, err := d.db.Status(ctx, 0)
		if err != nil {
			return err
		}
		if s.ToSend+s.Leaving == 0 && s.ToRender == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d mails and %d recaps are still due: %w", s.ToSend+s.Leaving, s.ToRender, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// play lets a subscriber activate, or learn that an earlier run used the code.
func (d *demo) play(ctx context.Context, l devenv.Letter) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	v := devenv.Visitor{HTTP: &http.Client{Jar: jar}, Public: d.public}
	page, status, err := v.Activate(ctx, l.Form())
	switch {
	case err != nil:
		return err
	case status == http.StatusUnprocessableEntity:
		return nil // an earlier run used it
	case status != http.StatusOK:
		return fmt.Errorf("the activation page answered %d", status)
	case devenv.Field(page, "new_email") == "":
		return nil // the code alone has activated
	}
	page, status, err = v.Activate(ctx, l.Identifiers(devenv.Field(page, "submission"), l.Email))
	if err != nil || status == http.StatusOK {
		return err
	}
	if status != http.StatusUnprocessableEntity {
		return fmt.Errorf("the identifiers page answered %d", status)
	}
	return d.chooseOther(ctx, v, l, devenv.Field(page, "submission"))
}

// chooseOther plays a subscriber whose address has become somebody else's identifier
// (R6, D1).
func (d *demo) chooseOther(ctx context.Context, v devenv.Visitor, l devenv.Letter, submission string) error {
	local, domain, _ := strings.Cut(l.Email, "@")
	other := fmt.Sprintf("%s.%s@%s", local, strings.ToLower(l.Code[:4]), domain)
	_, status, err := v.Activate(ctx, l.Identifiers(submission, other))
	if err != nil || status != http.StatusOK {
		return errors.Join(err, fmt.Errorf("choosing another address answered %d", status))
	}
	m, err := d.inbox.Wait(ctx, func(m devenv.Message) bool {
		proof, isCode := devenv.ReadLetter(m)
		return isCode && proof.Email == other
	})
	if err != nil {
		return err
	}
	proof, _ := devenv.ReadLetter(m)
	if _, status, err = v.Activate(ctx, proof.Form()); err != nil || status != http.StatusOK {
		return errors.Join(err, fmt.Errorf("activating with another address answered %d", status))
	}
	return nil
}

// leave writes the files that an administrator wants to look at.
func (d *demo) leave(ctx context.Context) error {
	report := filepath.Join(d.Dir, "report.xlsx")
	if err := d.Report(ctx, d.db, report, d.web.Administration); err != nil {
		return err
	}
	recaps, err := d.writeRecaps(ctx, filepath.Join(d.Dir, "recaps"))
	if err != nil {
		return err
	}
	s, err := d.db.Status(ctx, 0)
	if err != nil {
		return err
	}
	depth, err := d.queue.Depth(ctx)
	if err != nil {
		return err
	}
	d.printf("\n")
	terminal.NewStatus(s, 0, &depth).Print(d.Out)
	d.printf("\n%s\n%s: %d recaps\n%s: %d mails\n", report, filepath.Join(d.Dir, "recaps"), recaps,
		filepath.Join(d.Dir, "mails"), d.inbox.Count())
	return nil
}

// writeRecaps writes one PDF for each activated space, named by its number.
func (d *demo) writeRecaps(ctx context.Context, dir string) (n int, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	for recap, err := range d.db.Recaps(ctx) {
		if err != nil {
			return n, err
		}
		if err := atomicfile.WriteBytes(filepath.Join(dir, string(recap.Number)+".pdf"), recap.PDF); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
