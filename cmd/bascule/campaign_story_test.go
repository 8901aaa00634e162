package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"bascule/internal/assistance"
	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
	"bascule/internal/terminal"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// A course is a campaign under way, in processes of their own.
type course struct {
	*operator
	db    *sqltest.DB
	inbox *devenv.Inbox
	ahead time.Duration // how far the database's clock has been moved on since
}

// courseHours are those of assistance: reminders leave in them.
const courseHours = "Mon-Sun 00:00-24:00"

const (
	courseRows = 2000
	malformed  = 12 // of these
	firmRows   = 8  // of one accounting firm, which share an address
	gone       = 10 // mailboxes that do not exist
)

// courseSheet is the list of the campaign. The certificates end on a day.
func courseSheet(t *testing.T, dir string, ends time.Time) string {
	var b strings.Builder
	b.WriteString("numéro d'abonné;titulaire;adresse électronique;numéro de série;émetteur;date d'expiration\n")
	for i := range courseRows {
		email := fmt.Sprintf("a%d@exemple.example", i)
		switch {
		case i < malformed:
			email = fmt.Sprintf("a%d.exemple.example", i)
		case i < malformed+firmRows:
			email = "Cabinet@exemple.example"
		case i < malformed+firmRows+gone:
			email = fmt.Sprintf("parti%d@exemple.example", i)
		}
		fmt.Fprintf(&b, "%08d;Anne Durand;%s;%X;CN=AC Exemple;%s\n", i, email, 1000+i, ends.Format("02/01/2006"))
	}
	path := filepath.Join(dir, "spring.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newCourse(t *testing.T) *course {
	c := &course{db: sqltest.Open(t), inbox: devtest.Inbox(t)}
	c.inbox.SetLimit(1 << 30)
	c.inbox.SetReject(func(recipient string) error {
		if strings.HasPrefix(recipient, "parti") {
			return devenv.Refusal(550, [3]int{5, 1, 1}, "no such mailbox")
		}
		return nil
	})
	c.operator = newOperator(t, "DATABASE_URL="+sqltest.As(t, c.db.URL, sqltest.Application), "REDIS_URL="+devtest.Redis(t).URL(), "SMTP_URL="+c.inbox.URL(),
		"MAIL_FROM=espace-abonne@bascule.example", "PUBLIC_URL=http://127.0.0.1:1", "SECRET_KEY="+storyKey, "ADMINISTRATION=Direction des exemples; DDE",
		"HELP_HOURS="+courseHours)
	return c
}

// moveOn moves the database's clock on.
func (c *course) moveOn(d time.Duration) {
	c.ahead += d
	c.db.Shift(c.t, c.ahead)
}

func (c *course) work(env ...string) *service {
	return c.start(append(env, "WORKERS=4"), `"working"`, "work")
}

// until waits until the campaign stands so.
func (c *course) until(what string, name string, so func(terminal.Campaign) bool) (l terminal.Campaign) {
	c.t.Helper()
	err := poll(func() error {
		if l = ask[terminal.Campaign](c.operator, "campaign", "show", name); so(l) {
			return nil
		}
		return fmt.Errorf("waited in vain until %s: %+v", what, l)
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return l
}

// addsUp wants show and status to tell what a count of all rows tells.
func (c *course) addsUp(name string) {
	c.t.Helper()
	err := poll(func() error { // what is under way ends
		l := ask[terminal.Campaign](c.operator, "campaign", "show", name)
		got := map[string]int{
			"requested": l.Requested, "mailed": l.Mailed, "activated": l.Activated, "expired": l.Expired, "undeliverable": l.Undeliverable, "cancelled": l.Cancelled,
			"held": l.Held, "certificate": l.Spaces[conversion.AccessCertificate], "password": l.Spaces[conversion.AccessPassword],
		}
		want := make(map[string]int)
		for what := range got {
			want[what] = 0
		}
		rows, err := c.db.Raw.Query(`SELECT request_state(r, bascule_now()), count(*) FROM request_code r JOIN campaign c ON c.id = r.campaign_id WHERE c.name = $1 GROUP BY 1
			UNION ALL SELECT 'held', count(*) FROM held h JOIN campaign c ON c.id = h.campaign_id WHERE c.name = $1
			UNION ALL SELECT s.access, count(DISTINCT s.id) FROM space s JOIN request r ON r.space_id = s.id JOIN campaign c ON c.id = r.campaign_id WHERE c.name = $1 GROUP BY 1`, name)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var what string
			var n int
			if err := rows.Scan(&what, &n); err != nil {
				return err
			}
			want[what] = n
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("campaign show (-counted, +told):\n%s", diff)
		}
		s := ask[terminal.Status](c.operator, "status")
		if sum, all := s.Requested+s.Mailed+s.Activated+s.Expired+s.Undeliverable+s.Cancelled, c.db.Text(c.t, `SELECT count(*)::text FROM request`); fmt.Sprint(sum) != all {
			return fmt.Errorf("status adds up to %d of %s requests", sum, all)
		}
		return rows.Err()
	})
	if err != nil {
		c.t.Error(err)
	}
}

// leaves imports one more subscriber of another campaign, which runs, and waits for the
// mail: workers are at work meanwhile.
func (c *course) leaves(n int) {
	c.t.Helper()
	path := filepath.Join(c.t.TempDir(), fmt.Sprintf("other%d.csv", n))
	sheet := fmt.Sprintf("numéro d'abonné;titulaire;adresse électronique;numéro de série;émetteur;date d'expiration\nAUTRE%03d;Anne Durand;autre%d@exemple.example;F%d;CN=AC Exemple;31/12/2099\n", n, n, n)
	if err := os.WriteFile(path, []byte(sheet), 0o600); err != nil {
		c.t.Fatal(err)
	}
	args := []string{"import", path, "--campaign", "other"}
	if n == 0 {
		args = append(args, "--start")
	}
	c.run(args...)
	c.until("the other mail has left", "other", func(l terminal.Campaign) bool { return l.Mailed == n+1 })
}

// D12–D17: a campaign of two thousand rows, from its file to its report, in processes of
// their own: what show and status tell adds up whenever it stands still.
func TestCourseOfACampaign(t *testing.T) {
	t.Parallel()
	c, dir := newCourse(t), t.TempDir()
	begun := time.Now()
	ends := begun.In(conversion.Paris).AddDate(0, 0, 36) // 30 days before is in six days
	verdicts := filepath.Join(dir, "verdicts.xlsx")
	imported := ask[sql.ImportResult](c.operator, "import", courseSheet(t, dir, ends), "--campaign", "spring", "--verdicts", verdicts)
	accepted := courseRows - malformed
	if imported.Accepted != accepted || imported.Rejected != malformed {
		t.Fatalf("the import says %+v", imported)
	}
	slow := []string{"MAIL_RATE=250"}
	first, second := c.work(slow...), c.work(slow...)

	// It is held: of all that workers do, nothing is its own.
	c.leaves(0)
	if l := c.until("it is held", "spring", func(terminal.Campaign) bool { return true }); l.Held != accepted || l.Started != 0 || c.inbox.Count() != 1 {
		t.Fatalf("it is %+v, and %d mails left", l, c.inbox.Count())
	}
	c.addsUp("spring")

	// It is looked at.
	c.run("campaign", "preview", "spring", "--out", filepath.Join(dir, "trial"))
	c.run("campaign", "preview", "spring", "--to", "chef@exemple.example")
	if l := c.until("it is held", "spring", func(terminal.Campaign) bool { return true }); l.Held != accepted {
		t.Errorf("a preview sent some: %+v", l)
	}
	check := c.command(nil, "campaign", "check", "spring")
	if out, err := check.Output(); check.ProcessState.ExitCode() != exitFailed {
		t.Errorf("nothing is red: %v\n%s", err, out)
	}

	// A pilot pauses itself.
	c.run("campaign", "start", "spring", "--pilot", "50", "--anyway", "a rehearsal")
	c.until("the pilot is over", "spring", func(l terminal.Campaign) bool { return l.State == sql.CampaignPaused && l.Started == 50 })
	c.addsUp("spring")

	// A pause in the middle stops what has not started, within two seconds.
	c.run("campaign", "resume", "spring")
	c.until("it is in the middle", "spring", func(l terminal.Campaign) bool { return l.Started >= 300 })
	c.run("campaign", "pause", "spring", "--reason", "too many calls")
	c.leaves(1)
	c.addsUp("spring")

	// A wrong file is cancelled as a whole.
	wrong := filepath.Join(dir, "wrong.csv")
	if err := os.WriteFile(wrong, []byte("numéro d'abonné;titulaire;adresse électronique;numéro de série;émetteur;date d'expiration\nFAUX0001;Anne Durand;faux1@exemple.example;FA1;CN=AC Exemple;31/12/2099\nFAUX0002;Anne Durand;faux2@exemple.example;FA2;CN=AC Exemple;31/12/2099\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.run("import", wrong, "--campaign", "wrong")
	c.run("campaign", "cancel", "wrong", "--reason", "the wrong file", "--yes")
	if l := c.until("it is cancelled", "wrong", func(l terminal.Campaign) bool { return l.State == sql.CampaignCancelled }); l.Cancelled != 2 || l.Started != 0 {
		t.Errorf("the wrong campaign is %+v", l)
	}
	c.addsUp("wrong")

	const paused = `(SELECT max(at) FROM campaign_audit a WHERE a.campaign_id = k.id AND a.event = 'paused')`
	if err := poll(func() error {
		if c.db.Text(t, `SELECT (bascule_now() > `+paused+` + interval '3 seconds')::text FROM campaign k WHERE name = 'spring'`) != "true" {
			return errors.New("three seconds are not over")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n := c.db.Text(t, `SELECT count(*)::text FROM code c JOIN request r ON r.id = c.request_id JOIN campaign k ON k.id = r.campaign_id
		WHERE k.name = 'spring' AND c.started_at > `+paused+` + interval '2 seconds'`); n != "0" {
		t.Errorf("%s mails started more than 2 s after the pause", n)
	}

	// It goes on, though a worker is killed: what that one held is sent again.
	c.run("campaign", "resume", "spring")
	c.until("it goes on", "spring", func(l terminal.Campaign) bool { return l.Started >= 600 })
	second.cmd.Process.Kill()
	<-second.ended
	first.stop(syscall.SIGTERM)
	last := c.work() // as fast as it can; no worker starts where the clocks differ
	c.moveOn(2 * sql.Lease)
	const waiting = firmRows - 5
	c.until("all have left but those above five a day", "spring", func(l terminal.Campaign) bool {
		return l.Mailed == accepted-gone-waiting && l.Undeliverable == gone && l.Held == waiting
	})
	c.addsUp("spring")

	// Corrected rows join, and so does a corrected address.
	c.run("import", corrected(t, verdicts))
	c.run("correct", fmt.Sprintf("%08d", malformed+firmRows), "--email", "revenu@exemple.example", "--reason", "call 12")
	c.until("the corrected ones have left", "spring", func(l terminal.Campaign) bool { return l.Mailed == accepted-gone-waiting+malformed+1 })
	c.addsUp("spring")

	// The next day begins with the rest of the firm's invitations.
	y, month, day := time.Now().Add(c.ahead).In(conversion.Paris).Date()
	c.moveOn(time.Until(time.Date(y, month, day+1, 0, 1, 0, 0, conversion.Paris)) - c.ahead)
	c.until("the firm has all its invitations", "spring", func(l terminal.Campaign) bool { return l.Mailed == accepted-gone+malformed+1 })
	c.addsUp("spring")

	// Who has typed no code is reminded; the firm gets five mails a day.
	hours, err := assistance.Parse(courseHours)
	if err != nil {
		t.Fatal(err)
	}
	answers, _ := hours.NextOpen(begun.Add(25 * time.Hour)) // not on a holiday
	c.moveOn(max(0, time.Until(answers)-c.ahead) + 10*time.Minute)
	c.until("they are reminded", "spring", func(l terminal.Campaign) bool {
		return l.Reminded+l.Started >= 2*(accepted-gone-firmRows+malformed+1)+10 && l.Mailed+l.Undeliverable+l.Held == accepted+malformed+1
	})
	c.addsUp("spring")

	// Who let it expire is invited again as 30 days are left.
	c.moveOn(50 * time.Hour)
	c.until("they have expired", "spring", func(l terminal.Campaign) bool { return l.ToInvite == accepted-gone+malformed+1 })
	c.addsUp("spring")
	c.moveOn(ends.AddDate(0, 0, -29).Sub(begun) - c.ahead)
	c.until("they are invited again", "spring", func(l terminal.Campaign) bool {
		return l.ToInvite == 0 && l.Mailed >= accepted-gone-firmRows+malformed+1
	})
	c.addsUp("spring")
	if n := c.db.Text(t, `SELECT coalesce(max(n), 0)::text FROM (SELECT count(*) AS n FROM audit a JOIN space s ON s.id = a.space_id
		WHERE s.contact_key = 'cabinet@exemple.example' AND a.event IN ('mailed', 'reminder mailed', 'expired mailed') GROUP BY (a.at AT TIME ZONE 'Europe/Paris')::date) AS days`); n != "5" {
		t.Errorf("the firm got up to %s mails a day, want 5", n)
	}

	// It ends, and leaves its report.
	report := filepath.Join(dir, "report.xlsx")
	c.run("campaign", "close", "spring", "--report", report, "--yes")
	c.until("it is closed", "spring", func(l terminal.Campaign) bool { return l.State == sql.CampaignClosed })
	c.addsUp("spring")
	book, err := excelize.OpenFile(report)
	if err != nil {
		t.Fatal(err)
	}
	book.Close()
	last.stop(syscall.SIGTERM)
	c.db.Sound(t)
}

// corrected is the workbook of verdicts, with good addresses in the rows that had none.
func corrected(t *testing.T, verdicts string) string {
	t.Helper()
	book, err := excelize.OpenFile(verdicts)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	n := 0
	for _, sheet := range book.GetSheetList() {
		rows, err := book.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for y, row := range rows {
			for x, text := range row {
				if strings.HasSuffix(text, ".exemple.example") && !strings.Contains(text, "@") && strings.HasPrefix(text, "a") {
					cell, _ := excelize.CoordinatesToCellName(x+1, y+1)
					if err := book.SetCellStr(sheet, cell, strings.Replace(text, ".", "@", 1)); err != nil {
						t.Fatal(err)
					}
					n++
				}
			}
		}
	}
	if n != malformed {
		t.Fatalf("%d addresses were corrected, want %d", n, malformed)
	}
	path := filepath.Join(t.TempDir(), "corrected.xlsx")
	if err := book.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	return path
}
