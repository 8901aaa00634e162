package sql

import (
	"context"
	_ "embed"

	"bascule/internal/conversion"
)

//go:embed query/pending.sql
var pending string

// Pending counts the invitations of a campaign that have not started, in no order.
func (db *DB) Pending(ctx context.Context, c Campaign) (groups []conversion.PendingGroup, err error) {
	err = db.x.SelectContext(ctx, &groups, pending, c.ID, conversion.MailsPerAddress)
	return groups, wrap(err, "group the invitations of campaign %q", c.Name)
}

// Recipients counts the addresses of invitations that have not started.
type Recipients struct {
	Domains   []DomainMails `json:"domains"` // the domains with the most invitations
	Addresses int           `db:"addresses" json:"addresses"`
	Shared    int           `db:"shared" json:"shared_addresses"` // addresses that several spaces share
	Sharing   int           `db:"sharing" json:"sharing_spaces"`  // the spaces of these addresses
	Largest   int           `db:"largest" json:"largest_address"` // the spaces of the address with the most
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
