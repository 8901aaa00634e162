package sql

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/lib/pq"

	"bascule/internal/conversion"
)

// A Preview is an invitation that a campaign holds, with what its mail will tell.
type Preview struct {
	conversion.Space
	contact
}

//go:embed query/preview.sql
var preview string

// Previews returns invitations that a campaign holds: those of the numbers. Without
// numbers it picks up to four: the longest holder, a shared address, the last
// certificate, and the first to leave. It leaves out numbers whose invitations are not
// held.
func (db *DB) Previews(ctx context.Context, c Campaign, numbers []conversion.SubscriberNumber) (list []Preview, err error) {
	var rows []struct {
		spaceRow
		ContactKey string `db:"contact_key"`
	}
	if err := db.x.SelectContext(ctx, &rows, preview, c.ID, pq.Array(numbers)); err != nil {
		return nil, fmt.Errorf("pick invitations of campaign %q: %w", c.Name, err)
	}
	var keys []string
	for _, row := range rows {
		keys = append(keys, row.ContactKey)
	}
	contacts, err := contactsOf(ctx, db.x, keys)
	if err != nil {
		return nil, fmt.Errorf("read the contacts of campaign %q: %w", c.Name, err)
	}
	for _, row := range rows {
		list = append(list, Preview{row.space(), contacts[row.ContactKey]})
	}
	return list, nil
}

//go:embed query/note_preview.sql
var notePreview string

// NotePreview records that a preview was made; what contains no address (I9). texts is a
// digest of the texts that somebody was sent; "" if nobody was.
func (db *DB) NotePreview(ctx context.Context, c Campaign, what, texts, actor string) error {
	return wrap(db.exec(ctx, notePreview, c.ID, actor, what, texts), "record a preview of campaign %q", c.Name)
}
