package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"bascule/internal/atomicfile"
	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/sql"
)

// autoTimeout is the longest time of the whole play.
const autoTimeout = 2 * time.Minute

// maxPlayed is the most subscribers that auto plays: the user's own file may be long.
const maxPlayed = 100

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
		letter, ok := readLetter(m)
		if !ok || m.ID%4 == 0 || m.ID > maxPlayed {
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

// A letter is what a subscriber reads in an activation mail.
type letter struct {
	email, code string
}

var codePattern = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b`)

func readLetter(m devenv.Message) (letter, bool) {
	mail, err := m.Parse()
	if err != nil || len(m.Recipients) != 1 {
		return letter{}, false
	}
	code := codePattern.FindString(mail.Text)
	return letter{email: m.Recipients[0], code: code}, code != ""
}

// A visitor is one subscriber's browser.
type visitor struct {
	http   *http.Client
	public *url.URL
}

// play lets a subscriber activate, or learn that an earlier run used the code.
func (d *demo) play(ctx context.Context, l letter) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	v := visitor{http: &http.Client{Jar: jar}, public: d.public}
	page, status, err := v.post(ctx, url.Values{"email": {l.email}, "code": {l.code}})
	switch {
	case err != nil:
		return err
	case status == http.StatusUnprocessableEntity:
		return nil // an earlier run used it
	case status != http.StatusOK:
		return fmt.Errorf("the activation page answered %d", status)
	case field(page, "new_email") == "":
		return nil // the code alone has activated
	}
	form := identifiers(l, field(page, "submission"), l.email)
	if page, status, err = v.post(ctx, form); err != nil || status == http.StatusOK {
		return err
	}
	if status != http.StatusUnprocessableEntity {
		return fmt.Errorf("the identifiers page answered %d", status)
	}
	return d.chooseOther(ctx, v, l, field(page, "submission"))
}

// chooseOther plays a subscriber whose address has become somebody else's identifier
// (R6, D1).
func (d *demo) chooseOther(ctx context.Context, v visitor, l letter, submission string) error {
	local, domain, _ := strings.Cut(l.email, "@")
	other := fmt.Sprintf("%s.%s@%s", local, strings.ToLower(l.code[:4]), domain)
	_, status, err := v.post(ctx, identifiers(l, submission, other))
	if err != nil || status != http.StatusOK {
		return errors.Join(err, fmt.Errorf("choosing another address answered %d", status))
	}
	m, err := d.inbox.Wait(ctx, func(m devenv.Message) bool {
		_, isCode := readLetter(m)
		return isCode && m.Recipients[0] == other
	})
	if err != nil {
		return err
	}
	proof, _ := readLetter(m)
	if _, status, err = v.post(ctx, url.Values{"email": {other}, "code": {proof.code}}); err != nil || status != http.StatusOK {
		return errors.Join(err, fmt.Errorf("activating with another address answered %d", status))
	}
	return nil
}

// demoPassword meets both profiles. Demonstration spaces protect nothing.
const demoPassword = "Demo9Bascule2Essai"

func identifiers(l letter, submission, email string) url.Values {
	return url.Values{
		"email": {l.email}, "code": {l.code}, "submission": {submission},
		"new_email": {email}, "new_email_confirmation": {email},
		"password": {demoPassword}, "password_confirmation": {demoPassword},
		"question": {string(conversion.TrustQuestions()[0])}, "answer": {"rue des Lilas"}, "consent": {"oui"},
	}
}

// maxPage is more bytes than any of our pages has.
const maxPage = 1 << 20

func (v visitor) post(ctx context.Context, form url.Values) (page string, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.public.JoinPath("activation").String(), strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := v.http.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	return string(b), res.StatusCode, err
}

// field reads the value of an input of a page, "" if there is none.
func field(page, name string) string {
	tag := regexp.MustCompile(`<input[^>]*\bname="` + regexp.QuoteMeta(name) + `"[^>]*>`).FindString(page)
	if value := regexp.MustCompile(`\bvalue="([^"]*)"`).FindStringSubmatch(tag); value != nil {
		return html.UnescapeString(value[1])
	}
	return ""
}

// leave writes the files that an administrator wants to look at.
func (d *demo) leave(ctx context.Context) error {
	report := filepath.Join(d.dir, "report.xlsx")
	if err := writeReport(ctx, d.db, report, d.by, sql.Scope{}, writeBook); err != nil {
		return err
	}
	recaps, err := d.writeRecaps(ctx, filepath.Join(d.dir, "recaps"))
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
	d.printStatus(s, newStatusLine(s, &depth), statusFlags{})
	d.printf("\n%s\n%s: %d recaps\n%s: %d mails\n", report, filepath.Join(d.dir, "recaps"), recaps,
		filepath.Join(d.dir, "mails"), d.inbox.Count())
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
		if err := writeRecap(filepath.Join(dir, string(recap.Number)+".pdf"), recap); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func writeRecap(path string, recap sql.Recap) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(recap.PDF)
		return err
	})
}
