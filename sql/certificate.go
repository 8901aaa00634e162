package sql

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"bascule/internal/conversion"
)

// A CertificateSpace is a space whose certificate has a given serial number. The caller
// must compare the issuer.
type CertificateSpace struct {
	ID    int64
	Space conversion.Space
	// Open is what the certificate holder has chosen already. It is zero if the space
	// has no open request with credentials.
	Open OpenChoice
	// Unreached is the address chosen last, if the mail with its code did not reach it.
	Unreached conversion.Email
	// NoOther tells that as many other addresses were chosen as can be (D1).
	NoOther bool
}

// An OpenChoice is an open request with credentials.
type OpenChoice struct {
	Email     conversion.Email
	Taken     bool      // another space has the address as identifier meanwhile (D3)
	StartedAt time.Time // of the mail with the code; zero while it is queued
	ExpiresAt time.Time
}

//go:embed query/spaces_of_certificate.sql
var spacesOfCertificate string

// SpacesOfCertificate returns the spaces of a serial number, a hundred at most.
// Different issuers may use the same number (R7).
func (db *DB) SpacesOfCertificate(ctx context.Context, serial conversion.SerialNumber) ([]CertificateSpace, error) {
	var rows []struct {
		ID        int64     `db:"id"`
		Chosen    Address   `db:"chosen_email"`
		Unreached Address   `db:"unreached"`
		Taken     bool      `db:"chosen_taken"`
		StartedAt time.Time `db:"started_at"`
		ExpiresAt time.Time `db:"expires_at"`
		Others    int       `db:"other_addresses"`
		spaceRow
	}
	if err := db.x.SelectContext(ctx, &rows, spacesOfCertificate, serial); err != nil {
		return nil, fmt.Errorf("find the spaces of a certificate: %w", err)
	}
	spaces := make([]CertificateSpace, len(rows))
	for i, r := range rows {
		spaces[i] = CertificateSpace{ID: r.ID, Space: r.space(), Unreached: r.Unreached.Email, NoOther: r.Others >= conversion.MaxOtherAddresses}
		if !r.Chosen.IsZero() {
			spaces[i].Open = OpenChoice{Email: r.Chosen.Email, Taken: r.Taken, StartedAt: known(r.StartedAt), ExpiresAt: known(r.ExpiresAt)}
		}
	}
	return spaces, nil
}

// known is the time that a query returned; the epoch stands for no time.
func known(t time.Time) time.Time {
	if t.Unix() == 0 {
		return time.Time{}
	}
	return t
}
