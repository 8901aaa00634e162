package sql_test

import (
	"slices"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// D13, D17: a mail that waits for an exclusion is pending no more once its request is
// cancelled or has another address, also before a worker drops it.
func TestPendingIsNotDead(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.released("spring", row("000001", "a@duvallon.example"), row("000002", "b@duvallon.example"))
	d.exclude("a@duvallon.example")
	d.exclude("b@duvallon.example")
	d.deliver()
	d.must(d.CancelNumber(d.ctx, "000001"))
	d.held("spring", row("000002", "c@duvallon.example"))
	p, err := d.Progress(d.ctx, "spring")
	d.must(err)
	groups, err := d.Pending(d.ctx, p.Campaign)
	d.must(err)
	if len(groups) != 1 || groups[0].Mails != 1 || groups[0].Alone != 0 {
		t.Errorf("what has not started: %+v, want the mail to c alone", groups)
	}
	r, err := d.Recipients(d.ctx, p.Campaign, 2)
	d.must(err)
	if r.Addresses != 1 || r.Shared != 0 {
		t.Errorf("the recipients are %+v", r)
	}
}

// Pending counts invitations that have not started, released or not; Recipients counts
// their addresses.
func TestPending(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("spring", row("000001", "a@duvallon.example"), row("000002", "A@duvallon.example"), row("000003", "a@duvallon.example"),
		row("000004", "b@other.example"), row("000005", "c@gone.example"), row("000006", "c@gone.example"), row("000007", "d@third.example"))
	d.exclude("gone.example")
	d.exclude("000004")
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{Pilot: 2}, "", "admin"))
	d.release(nil)
	d.start(1)
	p := d.stands("spring", sql.CampaignRunning, 5, 1)
	groups, err := d.Pending(d.ctx, p.Campaign)
	d.must(err)
	slices.SortFunc(groups, func(x, _ conversion.PendingGroup) int {
		if x.Released {
			return -1
		}
		return 1
	})
	expires := time.Date(expiry.Year(), expiry.Month(), expiry.Day(), 0, 0, 0, 0, time.UTC)
	for i := range groups {
		groups[i].Expires, groups[i].NotBefore = groups[i].Expires.UTC(), groups[i].NotBefore.UTC()
	}
	epoch := time.Unix(0, 0).UTC()
	want := []conversion.PendingGroup{{Released: true, Priority: 5, Expires: expires, NotBefore: epoch, Mails: 1}, {Priority: 5, Expires: expires, NotBefore: epoch, Mails: 5, Alone: 3}}
	if !slices.Equal(groups, want) {
		t.Errorf("what has not started: %+v, want %+v", groups, want)
	}
	r, err := d.Recipients(d.ctx, p.Campaign, 2)
	d.must(err)
	domains := []sql.DomainMails{{Domain: "duvallon.example", Mails: 2}, {Domain: "gone.example", Mails: 2}}
	if !slices.Equal(r.Domains, domains) || r.Addresses != 4 || r.Shared != 2 || r.Sharing != 4 || r.Largest != 2 {
		t.Errorf("the recipients are %+v", r)
	}
}
