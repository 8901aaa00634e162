package sql

import (
	"fmt"
	"time"

	"bascule/internal/conversion"
)

// spaceRow is the part of a row that tells a space. Its values were parsed before they
// were stored. Pages that show companies read them apart.
type spaceRow struct {
	Number  conversion.SubscriberNumber `db:"number"`
	Holder  string                      `db:"holder"`
	Contact string                      `db:"contact_email"`
	Serial  conversion.SerialNumber     `db:"serial"`
	Issuer  string                      `db:"issuer"`
	Expires time.Time                   `db:"certificate_expires"`
	Access  conversion.Access           `db:"access"`
}

func (r spaceRow) space() (conversion.Space, error) {
	contact, err := conversion.ParseEmail(r.Contact)
	if err != nil {
		return conversion.Space{}, fmt.Errorf("contact address of space %s: %w", r.Number, err)
	}
	return conversion.Space{
		Number: r.Number, Holder: r.Holder, Contact: contact, Access: r.Access,
		Certificate: conversion.Certificate{Serial: r.Serial, Issuer: r.Issuer, Expires: r.Expires},
	}, nil
}
