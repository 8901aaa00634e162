package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bascule/jobs"
	"bascule/sql/sqltest"
)

const failedReport = `Content-Type: multipart/report; report-type=delivery-status; boundary=b
Auto-Submitted: auto-replied

--b
Content-Type: text/plain

The mail could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; someone@example.org
Action: %s
Status: 5.1.1
--b--
`

// D11: only a bounce that carries our signed return path counts; it is shown,
// and the code still works. D3: the address that it held is free again.
func TestBounces(t *testing.T) {
	db, keys := sqltest.Open(t), sqltest.Keys(t)
	path := func(request int64, generation int, forged bool) string {
		id := fmt.Sprintf("%d.%d", request, generation)
		signature := keys.SignPath(id)
		if forged {
			signature = "0000000000"
		}
		return fmt.Sprintf("Retours <retours+%s.%s@bascule.example>", id, signature)
	}
	for _, test := range []struct {
		name    string
		mail    func(request int64) string
		bounced bool
	}{
		{"a failure", func(r int64) string { return "To: " + path(r, 1, false) + "\n" + fmt.Sprintf(failedReport, "failed") }, true},
		{"in no standard form", func(r int64) string { return "Delivered-To: " + path(r, 1, false) + "\nSubject: failure\n\nsorry\n" }, true},
		{"a delay", func(r int64) string { return "To: " + path(r, 1, false) + "\n" + fmt.Sprintf(failedReport, "delayed") }, false},
		{"somebody is away", func(r int64) string { return "To: " + path(r, 1, false) + "\nAuto-Submitted: auto-replied\n\naway\n" }, false},
		{"a forged signature", func(r int64) string { return "To: " + path(r, 1, true) + "\n" + fmt.Sprintf(failedReport, "failed") }, false},
		{"a path in the body only", func(r int64) string { return "To: x@bascule.example\n\n" + path(r, 1, false) + "\n" }, false},
		{"another generation", func(r int64) string { return "To: " + path(r, 2, false) + "\n" + fmt.Sprintf(failedReport, "failed") }, false},
		{"no mail at all", func(int64) string { return "\x00\xff" }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, code := db.Mailed(t, keys, sqltest.Invitation{})
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "1.eml"), []byte(test.mail(r.ID)), 0o600); err != nil {
				t.Fatal(err)
			}
			b := &jobs.Bouncer{DB: db.DB, Keys: keys, Dir: dir, Now: later, Log: slog.New(slog.DiscardHandler)}
			for range 2 { // twice is once
				if err := b.Look(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			got := db.Text(t, `SELECT (bounced_at IS NOT NULL)::text FROM request WHERE id = $1`, r.ID)
			if want := fmt.Sprint(test.bounced); got != want {
				t.Errorf("bounced is %s, want %s", got, want)
			}
			if _, err := os.Stat(filepath.Join(dir, "processed", "1.eml")); err != nil {
				t.Errorf("the mail was not put aside: %v", err)
			}
			if _, err := db.FindCode(context.Background(), keys, r.Contact, code); err != nil {
				t.Errorf("the code of a bounced mail is refused: %v", err)
			}
		})
	}
}

// later is when no mail is being written any more.
func later() time.Time { return time.Now().Add(time.Minute) }

// D11: a bounce that the mail server is still writing is left until it is
// finished, and one that cannot be read keeps no other from being read.
func TestBouncesInTheMaking(t *testing.T) {
	db, keys := sqltest.Open(t), sqltest.Keys(t)
	r, _ := db.Mailed(t, keys, sqltest.Invitation{})
	dir := t.TempDir()
	id := fmt.Sprintf("%d.1", r.ID)
	path := filepath.Join(dir, "2.eml")
	report := fmt.Sprintf("To: retours+%s.%s@bascule.example\n", id, keys.SignPath(id)) + fmt.Sprintf(failedReport, "failed")
	if err := os.WriteFile(path, []byte(report[:len(report)/2]), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &jobs.Bouncer{DB: db.DB, Keys: keys, Dir: dir, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if err := b.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(report), 0o600); err != nil {
		t.Fatalf("the mail was taken away under the mail server's hands: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "1.eml"), []byte("stuck\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "processed", "1.eml", "taken"), 0o700); err != nil { // so it cannot be put aside
		t.Fatal(err)
	}
	b.Now = later
	if err := b.Look(t.Context()); err == nil {
		t.Error("nothing is said of the mail that is stuck")
	}
	if db.Text(t, `SELECT (bounced_at IS NOT NULL)::text FROM request WHERE id = $1`, r.ID) != "true" {
		t.Error("the bounce behind it was not read")
	}
}
