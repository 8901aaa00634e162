package jobs_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"bascule/internal/bounce"
	"bascule/internal/conversion"
	"bascule/jobs"
	"bascule/sql/sqltest"
)

// statusReport is a delivery status with an action and a code.
const statusReport = `Content-Type: multipart/report; report-type=delivery-status; boundary=b
Auto-Submitted: auto-replied

--b
Content-Type: text/plain

The mail could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; someone@example.org
Action: %s
Status: %s
--b--
`

// feedback is a report of abuse (RFC 5965) that tells the return path inside.
const feedback = `Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: %s
Original-Mail-From: <%s>
--b--
`

// D11: only a report with our signed return path counts, by its class. It is shown, and
// the code still works. D17: a recipient who complains is left alone.
func TestBounces(t *testing.T) {
	db, keys := sqltest.Open(t), sqltest.Keys(t)
	signed := func(request int64, generation int) string {
		return returnPath(t, db, keys, request, strconv.Itoa(generation))
	}
	forgotten := func(request int64) string { return signedPath(keys, fmt.Sprintf("%d.1.0badc0de", request)) }
	to := func(request int64, generation int) string {
		return "To: Retours <" + signed(request, generation) + ">\n"
	}
	failed := fmt.Sprintf(statusReport, "failed", "5.1.1")
	ofWord := func(request int64) string { return returnPath(t, db, keys, request, "1w") } // that the code is over
	for _, test := range []struct {
		name  string
		mail  func(request int64) string
		class conversion.Bounce
	}{
		{"a failure", func(r int64) string { return to(r, 1) + failed }, conversion.BounceGone},
		{"a full mailbox", func(r int64) string { return to(r, 1) + fmt.Sprintf(statusReport, "failed", "5.2.2") }, conversion.BouncePolicy},
		{"a delay", func(r int64) string { return to(r, 1) + fmt.Sprintf(statusReport, "delayed", "4.4.1") }, conversion.BounceLate},
		{"in no standard form", func(r int64) string {
			return "Delivered-To: " + signed(r, 1) + "\nFrom: MAILER-DAEMON@x.example\nSubject: failure\n\n550 User unknown: not delivered\n"
		}, conversion.BounceGone},
		{"capital letters", func(r int64) string { return strings.ToUpper(to(r, 1)) + failed }, conversion.BounceGone},
		{"a complaint", func(r int64) string {
			return "To: abuse@bascule.example\n" + fmt.Sprintf(feedback, "abuse", signed(r, 1))
		}, conversion.BounceComplaint},
		{"no complaint", func(r int64) string {
			return "To: abuse@bascule.example\n" + fmt.Sprintf(feedback, "not-spam", signed(r, 1))
		}, ""},
		{"a complaint of somebody else's mail", func(r int64) string {
			return "To: abuse@bascule.example\n" + fmt.Sprintf(feedback, "abuse", fmt.Sprintf("retours+%d.1.0badc0de.0000000000@bascule.example", r))
		}, ""},
		{"a complaint of the word that it is over", func(r int64) string {
			return "To: abuse@bascule.example\n" + fmt.Sprintf(feedback, "abuse", ofWord(r))
		}, conversion.BounceComplaint},
		{"a failure of that word", func(r int64) string { return "To: " + ofWord(r) + "\n" + failed }, ""},
		{"a forged word", func(r int64) string {
			return "To: abuse@bascule.example\n" + fmt.Sprintf(feedback, "abuse", strings.Replace(signed(r, 1), ".1.", ".1w.", 1))
		}, ""},
		{"delivered", func(r int64) string { return to(r, 1) + fmt.Sprintf(statusReport, "delivered", "2.0.0") }, ""},
		{"somebody is away", func(r int64) string { return to(r, 1) + "From: a@b.example\nAuto-Submitted: auto-generated\n\naway\n" }, ""},
		{"a letter", func(r int64) string { return to(r, 1) + "Subject: failure\n\nsorry\n" }, ""},
		{"a forged signature", func(r int64) string {
			return fmt.Sprintf("To: retours+%d.1.0badc0de.0000000000@bascule.example\n", r) + failed
		}, ""},
		{"a path in the body only", func(r int64) string {
			return "From: MAILER-DAEMON@x.example\nTo: x@bascule.example\nSubject: not delivered\n\n" + signed(r, 1) + ": user unknown\n"
		}, ""},
		{"a failure of a mail that a restore has forgotten", func(r int64) string { return "To: " + forgotten(r) + "\n" + failed }, ""},
		{"a complaint of a mail that a restore has forgotten", func(r int64) string {
			return "To: abuse@bascule.example\n" + fmt.Sprintf(feedback, "abuse", forgotten(r))
		}, ""},
		{"another generation", func(r int64) string { return to(r, 2) + failed }, ""},
		{"no mail at all", func(int64) string { return "\x00\xff" }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, code := db.Mailed(t, keys, sqltest.Invitation{})
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "1.eml"), []byte(test.mail(r.ID)), 0o600); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			b := &jobs.Bouncer{DB: db.DB, Keys: keys, Dir: dir, Now: later, Log: slog.New(slog.NewTextHandler(&log, nil))}
			for range 2 { // twice is once
				if err := b.Look(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			got := db.Text(t, `SELECT coalesce(bounce, '') FROM request_code WHERE id = $1`, r.ID)
			if got != string(test.class) {
				t.Errorf("the class is %q, want %q", got, test.class)
			}
			excluded := db.Text(t, `SELECT count(*)::text FROM exclusion WHERE key = $1`, r.Contact.Key())
			if want := map[bool]string{true: "1"}[test.class == conversion.BounceComplaint]; excluded != cmp.Or(want, "0") {
				t.Errorf("%s exclusions of the address", excluded)
			}
			if _, err := os.Stat(filepath.Join(dir, "processed", "1.eml")); err != nil {
				t.Errorf("the mail was not put aside: %v", err)
			}
			if _, err := db.FindCode(context.Background(), keys, r.Contact, code); err != nil {
				t.Errorf("the code of a bounced mail is refused: %v", err)
			}
			if strings.Contains(log.String(), "@") { // I6
				t.Errorf("the log tells an address: %s", log.String())
			}
		})
	}
}

// returnPath is that of a mail about the first code of a request. generation may be
// another one, or end with the mark of the word that the code is over.
func returnPath(t *testing.T, db *sqltest.DB, keys *conversion.Keyring, request int64, generation string) string {
	t.Helper()
	return signedPath(keys, db.Text(t, `
		SELECT format('%s.%s.%s', request_id, $2::text, left(encode(sha256(nonce), 'hex'), 8)) FROM code WHERE request_id = $1 AND generation = 1`,
		request, generation))
}

func signedPath(keys *conversion.Keyring, id string) string {
	return "retours+" + id + "." + keys.SignPath(id) + "@bascule.example"
}

// D11: what comes back to the return path of a mail that left counts.
func TestBounceOfMailThatLeft(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.work()
	from := s.mailed("code", r.Contact).from
	s.until("it is mailed", allMailed)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "1.eml"), fmt.Appendf(nil, "To: %s\n"+statusReport, from, "failed", "5.1.1"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &jobs.Bouncer{DB: s.db.DB, Keys: s.keys, Dir: dir, Now: later, Log: slog.New(slog.DiscardHandler)}
	if err := b.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.db.Text(t, `SELECT coalesce(bounce, '') FROM request_code WHERE id = $1`, r.ID); got != string(conversion.BounceGone) {
		t.Errorf("the class is %q, want %q", got, conversion.BounceGone)
	}
}

// D11: the worker asks the relay for reports of a mail with a code. They name the mail by
// an id without an address, and leave the code out. It asks for none of other mails.
func TestCodeMailsAskForReports(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.work()
	if got, want := s.mailed("code", r.Contact).asks, fmt.Sprintf("RET=HDRS ENVID=%d.1 NOTIFY=FAILURE,DELAY", r.ID); got != want {
		t.Errorf("the envelope asks %q, want %q", got, want)
	}
	s.until("it is mailed", allMailed)
	s.pass(48 * time.Hour)
	if got := s.mailed("expired", r.Contact).asks; got != "" {
		t.Errorf("the envelope of the mail about the deadline asks %q", got)
	}
}

// D11: each mail of an mbox is read. A mail in a file of its own that begins as one, and
// whose text has such words, is not cut.
func TestBouncesInAnMbox(t *testing.T) {
	db, keys := sqltest.Open(t), sqltest.Keys(t)
	const line = "From MAILER-DAEMON Tue Dec  1 02:00:00 2026\n"
	report := func(status string) (int64, string) {
		r, _ := db.Mailed(t, keys, sqltest.Invitation{})
		return r.ID, "To: " + returnPath(t, db, keys, r.ID, "1") + "\n" + fmt.Sprintf(statusReport, "failed", status)
	}
	first, one := report("5.1.1")
	second, two := report("5.2.2")
	third, three := report("5.1.1")
	two = strings.Replace(two, "\nThe mail", "\nFrom here on it was tried.\nFrom 12:00 to 14:30 it was. The mail", 1)
	filler := strings.Repeat("x\n", bounce.MaxMail/2) + "\n" // a large mail hides none behind it
	dir := t.TempDir()
	for name, mails := range map[string]string{
		"mbox": line + one + filler + strings.ReplaceAll(line+two, "\n", "\r\n") + "\r\n",
		"one":  line + strings.Replace(three, "The mail", "\nFrom here on the mail", 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(mails), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := &jobs.Bouncer{DB: db.DB, Keys: keys, Dir: dir, Now: later, Log: slog.New(slog.DiscardHandler)}
	if err := b.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[int64]conversion.Bounce{first: conversion.BounceGone, second: conversion.BouncePolicy, third: conversion.BounceGone} {
		if got := db.Text(t, `SELECT coalesce(bounce, '') FROM request_code WHERE id = $1`, id); got != string(want) {
			t.Errorf("request %d: the class is %q, want %q", id, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "processed", "mbox")); err != nil {
		t.Errorf("the mbox was not put aside: %v", err)
	}
}

// A folder in which nothing can be put aside is told in one line, however full it is.
func TestBouncesThatStay(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"1.eml", "2.eml", "3.eml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("stuck\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, "processed", name, "taken"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	b := &jobs.Bouncer{DB: sqltest.Open(t).DB, Keys: sqltest.Keys(t), Dir: dir, Now: later, Log: slog.New(slog.DiscardHandler)}
	err := b.Look(t.Context())
	if err == nil || strings.Count(err.Error(), "put a bounce aside") != 1 || !strings.Contains(err.Error(), "1.eml") || !strings.HasSuffix(err.Error(), "(and 2 more)") {
		t.Errorf("three mails stay: %v", err)
	}
}

// A folder that is gone, renamed or on a disk that is not there, is told, and not made
// anew: nobody would deliver into it.
func TestBouncesFolderIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	b := &jobs.Bouncer{Dir: dir, Now: later, Log: slog.New(slog.DiscardHandler)}
	if err := b.Look(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder was made")
	}
}

// later is when no mail is being written any more.
func later() time.Time { return time.Now().Add(time.Minute) }

// D11: a bounce that the mail server is still writing is left until it is finished. One
// that cannot be read keeps no other from being read.
func TestBouncesInTheMaking(t *testing.T) {
	db, keys := sqltest.Open(t), sqltest.Keys(t)
	r, _ := db.Mailed(t, keys, sqltest.Invitation{})
	dir := t.TempDir()
	path := filepath.Join(dir, "2.eml")
	report := "To: " + returnPath(t, db, keys, r.ID, "1") + "\n" + fmt.Sprintf(statusReport, "failed", "5.1.1")
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
	if db.Text(t, `SELECT (bounced_at IS NOT NULL)::text FROM request_code WHERE id = $1`, r.ID) != "true" {
		t.Error("the bounce behind it was not read")
	}
}
