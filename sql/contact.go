package sql

import (
	"context"
	_ "embed"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

var (
	//go:embed query/read_contacts.sql
	readContacts string
	//go:embed query/left_alone.sql
	leftAlone string
)

// A contact is what mails tell about the contact address of their space.
type contact struct {
	Sharing int  `db:"sharing"` // certificate spaces with this contact address, 1001 at most (D2)
	Taken   bool `db:"taken"`   // the address is the identifier of a password space already (R6)
	Counted bool `db:"counted"` // today's mails to the address are, as spaces shared it (D16)
}

// contactsOf tells about contact addresses, by their keys.
func contactsOf(ctx context.Context, q sqlx.QueryerContext, keys []string) (map[string]contact, error) {
	var rows []struct {
		Key string `db:"key"`
		contact
	}
	if err := sqlx.SelectContext(ctx, q, &rows, readContacts, pq.StringArray(keys)); err != nil {
		return nil, err
	}
	contacts := make(map[string]contact, len(rows))
	for _, r := range rows {
		contacts[r.Key] = r.contact
	}
	return contacts, nil
}

// readInvited reads of mails that invite how many spaces share their contact address,
// and whether the space is left alone (D17). An address that the subscriber chose is not:
// its mail was asked for.
func (w *window) readInvited(ctx context.Context, mails map[int64]*Mail) error {
	var ids pq.Int64Array
	var contacts, addresses, numbers pq.StringArray
	for id, m := range mails {
		if m.invites() {
			ids, contacts = append(ids, id), append(contacts, m.ContactKey)
			addresses, numbers = append(addresses, m.EmailKey), append(numbers, string(m.Number))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	known, err := contactsOf(ctx, w.tx, contacts)
	if err != nil {
		return err
	}
	for i, id := range ids {
		mails[id].contact = known[contacts[i]]
	}
	var alone []struct {
		ID        int64  `db:"id"`
		Exclusion int64  `db:"exclusion"`
		Until     string `db:"until"`
	}
	err = w.tx.SelectContext(ctx, &alone, leftAlone, ids, contacts, addresses, numbers)
	for _, a := range alone {
		if m := mails[a.ID]; m.Kind != MailCode || !m.IsChosen {
			m.LeftUntil, m.LeftBy = a.Until, a.Exclusion
		}
	}
	return err
}
