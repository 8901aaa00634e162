package sql

import (
	"context"
	_ "embed"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/lib/pq"

	"bascule/internal/conversion"
)

// A purpose is what a code is good for.
type purpose string

const (
	purposeIdentify purpose = "identify" // it opens the identifiers screen
	purposeActivate purpose = "activate" // it proves the address that was chosen, and activates (D1, D8)
	purposeReset    purpose = "reset"    // it opens the choice of a new password (R31)

	purposeIdentifier purpose = "identifier" // it proves another identifier of a password space (R6)
)

// codeRow is a code, with its request and its space.
type codeRow struct {
	RequestID     int64            `db:"request_id"`
	Generation    int              `db:"generation"`
	Purpose       purpose          `db:"purpose"`
	Email         Address          `db:"email"`
	KeyID         conversion.KeyID `db:"key_id"`
	Nonce         []byte           `db:"nonce"`
	ExpiresAt     time.Time        `db:"expires_at"`
	Live          bool             `db:"live"`
	Mailed        bool             `db:"mailed"`
	Typed         bool             `db:"typed"`
	Open          bool             `db:"open"`
	Activated     bool             `db:"activated"`
	CampaignID    int64            `db:"campaign_id"`
	Submission    string           `db:"submission"`
	Pending       Address          `db:"pending"`
	Unreached     Address          `db:"unreached"`
	ContactStands bool             `db:"contact_stands"`
	PendingStands bool             `db:"pending_stands"`
	Late          bool             `db:"late"`
	Renewed       bool             `db:"renewed"`
	Password      conversion.Hash  `db:"password_hash"` // of the space
	Others        int              `db:"other_addresses"`
	spaceRow
}

//go:embed query/find_code.sql
var findCode string

// findCode looks an address and a code up, whatever has become of the code. It
// returns conversion.ErrCodeRefused if there is none.
func (db *DB) findCode(ctx context.Context, keys *conversion.Keyring, email conversion.Email, code conversion.Code) (codeRow, error) {
	tags := make(pq.Int64Array, 0, 2)
	for _, tag := range keys.Tags(email, code) {
		tags = append(tags, tagValue(tag))
	}
	var rows []codeRow
	if err := db.x.SelectContext(ctx, &rows, findCode, tags); err != nil {
		return codeRow{}, fmt.Errorf("find a code: %w", err)
	}
	for _, row := range rows {
		right, err := row.proves(keys, email, code)
		if err != nil {
			return codeRow{}, fmt.Errorf("find a code of request %d: %w", row.RequestID, err)
		}
		if right {
			return row, nil
		}
	}
	return codeRow{}, conversion.ErrCodeRefused
}

// proves recomputes the code and compares all of it. The tag alone proves nothing.
func (r codeRow) proves(keys *conversion.Keyring, email conversion.Email, code conversion.Code) (bool, error) {
	want, err := keys.Code(madeFor(string(r.Purpose)), r.KeyID, conversion.Nonce(r.Nonce), r.Generation, r.Email.Email)
	return err == nil && r.Email.Same(email) && want.Equal(code), err
}

// madeFor is what a code of this purpose is computed for. A mail that brings a code to reset
// or an identifier's has the name of the purpose.
func madeFor(purpose string) conversion.Purpose {
	switch purpose {
	case string(purposeReset):
		return conversion.ForReset
	case string(purposeIdentifier):
		return conversion.ForIdentifier
	}
	return conversion.ForActivation
}

func tagValue(t conversion.Tag) int64 { return int64(binary.BigEndian.Uint64(t[:])) }
