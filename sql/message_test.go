package sql_test

import (
	"strings"
	"testing"

	"bascule/internal/conversion"
	"bascule/sql"
)

// A campaign's message stands in the invitations, repetitions and reminders that start
// after it was given, and in nothing that a subscriber asked for. The log has a digest
// of it alone.
func TestMessage(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Freeze(t, noon)
	says := func(what string, h *hand, want conversion.Message, kinds ...sql.MailKind) {
		t.Helper()
		for _, m := range h.mails {
			if m.Message != want {
				t.Errorf("%s: a %s mail of request %d says %q, want %q", what, m.Kind, m.RequestID, m.Message, want)
			}
		}
		if len(h.mails) != len(kinds) {
			t.Errorf("%s: %d mails, want %d", what, len(h.mails), len(kinds))
		}
		for i, m := range h.mails {
			if m.Kind != kinds[i] {
				t.Errorf("%s: a %s mail, want %s", what, m.Kind, kinds[i])
			}
		}
	}
	d.held("spring", rows(2)...)
	d.held("autumn", row("B00001", "b@other.example"))
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "", "admin"))
	d.launch("autumn", sql.CampaignSettings{})

	first := d.start(1)
	says("none was given", first, "", sql.MailCode)
	d.must(d.SetMessage(d.ctx, "spring", "Bonjour", "admin"))
	second := d.start(1)
	says("it was given", second, "Bonjour", sql.MailCode)
	other := d.start(1)
	says("of another campaign", other, "", sql.MailCode)
	for _, h := range []*hand{first, second, other} {
		d.must(d.FinishAccepted(d.ctx, h.mails))
	}
	d.must(d.SetMessage(d.ctx, "SPRING", "Bonsoir", "admin"))
	d.must(d.SetMessage(d.ctx, "spring", "Bonsoir", "admin"))
	d.must(d.Resend(d.ctx, conversion.SubscriberNumber(first.mails[0].Number), "", "admin"))
	repeated := d.start(1)
	says("a repetition", repeated, "Bonsoir", sql.MailCode)
	d.must(d.FinishAccepted(d.ctx, repeated.mails))
	d.Freeze(t, noon.Add(half))
	if _, err := d.Remind(d.ctx, 100); err != nil {
		t.Fatal(err)
	}
	reminders := d.start(2)
	says("reminders", reminders, "Bonsoir", sql.MailReminder, sql.MailReminder)
	d.must(d.SetMessage(d.ctx, "spring", "", "admin"))

	p := d.stands("spring", sql.CampaignRunning, 0, 2)
	var log []string
	for _, e := range p.Log {
		if e.Event == "message changed" {
			log = append(log, e.Why)
		}
	}
	if got := strings.Join(log, "\n"); got != "7 characters, sha256 9172e8eec99f144f\n7 characters, sha256 a31b2e7fc2ace72c\nnone" || p.Message != "" {
		t.Errorf("the log says %q, the message is %q", got, p.Message)
	}
	if _, err := d.CloseCampaign(d.ctx, "spring", "", "admin"); err != nil {
		t.Fatal(err)
	}
	if err := d.SetMessage(d.ctx, "spring", "Bonjour", "admin"); err == nil {
		t.Error("a closed campaign gets a message")
	}
}
