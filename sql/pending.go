package sql

import (
	"context"
	_ "embed"
	"fmt"
	"time"
)

// A PendingGroup is invitations that have not started, of one priority and of
// certificates that expire on one day.
type PendingGroup struct {
	Released bool      `db:"released"` // they wait for a worker, no longer for their campaign
	Priority int       `db:"priority"`
	Expires  time.Time `db:"expires"` // midnight UTC
	Mails    int       `db:"mails"`
	Alone    int       `db:"alone"` // of these, left alone (D17)
}

//go:embed query/pending.sql
var pending string

// Pending tells what has not started of a campaign, in no order.
func (db *DB) Pending(ctx context.Context, c Campaign) (groups []PendingGroup, err error) {
	if err := db.x.SelectContext(ctx, &groups, pending, c.ID); err != nil {
		return nil, fmt.Errorf("group the invitations of campaign %q: %w", c.Name, err)
	}
	return groups, nil
}

// Recipients are the addresses of the invitations that have not started.
type Recipients struct {
	Domains   []DomainMails // those with most of them
	Addresses int
	Shared    int // of these, those of several spaces
	Sharing   int // how many spaces those have, all told
	Largest   int // and the one that has most
}

// DomainMails is how many invitations go to the addresses of a mail domain.
type DomainMails struct {
	Domain string `db:"domain" json:"domain"`
	Mails  int    `db:"mails" json:"mails"`
}

//go:embed query/recipients.sql
var recipients string

// Recipients tells to whom invitations of a campaign go that have not started; of
// their domains, those with most mails.
func (db *DB) Recipients(ctx context.Context, c Campaign, domains int) (r Recipients, err error) {
	var rows []struct {
		DomainMails
		Addresses int `db:"addresses"`
		Shared    int `db:"shared"`
		Sharing   int `db:"sharing"`
		Largest   int `db:"largest"`
	}
	if err := db.x.SelectContext(ctx, &rows, recipients, c.ID, domains); err != nil {
		return r, fmt.Errorf("count the recipients of campaign %q: %w", c.Name, err)
	}
	for _, row := range rows {
		r.Domains = append(r.Domains, row.DomainMails)
		r.Addresses, r.Shared, r.Sharing, r.Largest = row.Addresses, row.Shared, row.Sharing, row.Largest
	}
	return r, nil
}
