package sql

import (
	"context"
	_ "embed"
	"time"

	"bascule/internal/conversion"
)

// A PendingGroup counts invitations that have not started, of one priority and one day
// of expiry.
type PendingGroup struct {
	Released  bool      `db:"released"` // the invitations wait for a worker, no longer for their campaign
	Priority  int       `db:"priority"`
	Expires   time.Time `db:"expires"`    // midnight UTC
	Address   int       `db:"address"`    // a number for an address that is to have more mails than it may have on a day (D16); 0: other addresses
	NotBefore time.Time `db:"not_before"` // the day in Paris, as midnight UTC, before which they wait (D16, D17); the epoch if they do not
	Mails     int       `db:"mails"`
	Alone     int       `db:"alone"` // invitations to subscribers who are left alone without end (D17)
}

//go:embed query/pending.sql
var pending string

// Pending counts the invitations of a campaign that have not started, in no order.
func (db *DB) Pending(ctx context.Context, c Campaign) (groups []PendingGroup, err error) {
	err = db.x.SelectContext(ctx, &groups, pending, c.ID, conversion.MailsPerAddress)
	return groups, wrap(err, "group the invitations of campaign %q", c.Name)
}

// Recipients counts the addresses of invitations that have not started.
type Recipients struct {
	Domains   []DomainMails // the domains with the most invitations
	Addresses int           `db:"addresses"`
	Shared    int           `db:"shared"`  // addresses that several spaces share
	Sharing   int           `db:"sharing"` // the spaces of these addresses
	Largest   int           `db:"largest"` // the spaces of the address with the most
}

// DomainMails is how many invitations go to addresses of a mail domain.
type DomainMails struct {
	Domain string `db:"domain" json:"domain"`
	Mails  int    `db:"mails" json:"mails"`
}

//go:embed query/recipients.sql
var recipients string

// Recipients counts the addresses of invitations of a campaign that have not started.
// It lists the domains with the most mails, at most so many.
func (db *DB) Recipients(ctx context.Context, c Campaign, domains int) (r Recipients, err error) {
	var rows []struct {
		DomainMails
		Recipients
	}
	err = db.x.SelectContext(ctx, &rows, recipients, c.ID, domains)
	for _, row := range rows {
		row.Domains = append(r.Domains, row.DomainMails)
		r = row.Recipients
	}
	return r, wrap(err, "count the recipients of campaign %q", c.Name)
}
