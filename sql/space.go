package sql

import (
	_ "embed"
	"fmt"
	"time"

	"bascule/internal/conversion"
)

// spaceRow is the part of a row that tells a space. Pages that show companies read them
// apart.
type spaceRow struct {
	Number  conversion.SubscriberNumber `db:"number"`
	Holder  string                      `db:"holder"`
	Contact Address                     `db:"contact_email"`
	Serial  conversion.SerialNumber     `db:"serial"`
	Issuer  string                      `db:"issuer"`
	Expires time.Time                   `db:"certificate_expires"`
	Access  conversion.Access           `db:"access"`
}

// An Address is an Email in a row; ” is the zero Email.
type Address struct{ conversion.Email }

// Scan implements sql.Scanner.
func (a *Address) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("an address is told by a %T", value)
	}
	return a.UnmarshalText([]byte(text))
}

//go:embed query/numbered_spaces.sql
var numberedSpaces string

// A numberedSpace is a space that was asked for by its number.
type numberedSpace struct {
	ID         int64     `db:"id"`
	Priority   int       `db:"priority"`
	SwitchedAt time.Time `db:"switched_at"`
	Email      string    `db:"email"` // the identifier
	spaceRow
}

func (r spaceRow) space() conversion.Space {
	return conversion.Space{
		Number: r.Number, Holder: r.Holder, Contact: r.Contact.Email, Access: r.Access,
		Certificate: conversion.Certificate{Serial: r.Serial, Issuer: r.Issuer, Expires: r.Expires},
	}
}
