package sql

import (
	"context"
	_ "embed"
	"errors"
	"time"

	"github.com/lib/pq"

	"bascule/internal/conversion"
	"bascule/internal/text"
)

// A Search has one of its fields set: the space is looked for by it.
type Search struct {
	Email  conversion.Email // the contact's address, the identifier, or an address that is to be proven
	SIREN  conversion.SIREN // of one of its companies
	Holder string           // words of the holder's name, or parts of them
}

// A FoundSpace is a space in a list.
type FoundSpace struct {
	Number   conversion.SubscriberNumber `json:"number" db:"number"`
	Holder   string                      `json:"holder" db:"holder"`
	Email    string                      `json:"email" db:"email"` // the identifier, or the contact's address
	Access   conversion.Access           `json:"access" db:"access"`
	State    conversion.State            `json:"state" db:"state"`       // of its latest request, "" if it has none
	Campaign string                      `json:"campaign" db:"campaign"` // of that request, "" if it has none
}

// ErrSearchLong says that a search was given up.
var ErrSearchLong = errors.New("the search takes too long here: name a number, an address or a SIREN, which are found at once")

// searchPatience is how long a search may take: a holder's name has no index.
const searchPatience = 10 * time.Second

//go:embed query/find_spaces.sql
var findSpaces string

// FindSpaces finds the first spaces in the order of their numbers, at most limit. It
// tells how many there are. It returns ErrSearchLong if that takes too long.
func (db *DB) FindSpaces(ctx context.Context, by Search, limit int) (spaces []FoundSpace, total int, err error) {
	words := text.Patterns(by.Holder)
	args := []any{"holder", "", pq.Array(words), limit}
	switch {
	case !by.Email.IsZero():
		args[0], args[1] = "address", by.Email.Key()
	case by.SIREN != "":
		args[0], args[1] = "siren", by.SIREN
	case len(words) == 0: // all holders would match
		return nil, 0, nil
	}
	limited, cancel := context.WithTimeout(ctx, searchPatience)
	defer cancel()
	var rows []struct {
		FoundSpace
		Total int `db:"total"`
	}
	err = db.x.SelectContext(limited, &rows, findSpaces, args...)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, 0, ErrSearchLong
	}
	for _, r := range rows {
		spaces, total = append(spaces, r.FoundSpace), r.Total
	}
	return spaces, total, wrap(err, "find spaces")
}
