package sql

import (
	"context"
	_ "embed"
	"fmt"
	"iter"
	"time"

	"github.com/lib/pq"

	"bascule/internal/conversion"
)

// A SharedSpace is a space whose contact address others of its campaign have, too.
type SharedSpace struct {
	Number  conversion.SubscriberNumber `db:"number"`
	Holder  string                      `db:"holder"`
	Contact Address                     `db:"contact_email"`
	Expires time.Time                   `db:"certificate_expires"`
	Sharing int                         `db:"sharing"` // how many spaces have the address
}

//go:embed query/shared_spaces.sql
var sharedSpaces string

// SharedSpaces are the spaces of a campaign whose address at least sharing of them have,
// one address after the other.
func (db *DB) SharedSpaces(ctx context.Context, c Campaign, sharing int) iter.Seq2[SharedSpace, error] {
	return readRows[SharedSpace](ctx, db.x, sharedSpaces, c.ID, sharing)
}

// An Answer is a line of the sheet that a firm has filled in: another address for one of
// its spaces, or none.
type Answer struct {
	Line    int
	Number  conversion.SubscriberNumber // "" if it could not be read
	Current conversion.Email            // the contact address when the sheet was made
	New     conversion.Email            // zero: it stays
	Cell    string
	Reason  string // French, "" where the line is well formed
	Warning string
}

// answersAtOnce is how many spaces are read at once.
const answersAtOnce = 1000

// rowsOf makes of each answer the row that a spreadsheet would have: what is known of
// its space, but for the address. So an answer changes nothing else, and no space that
// has another address by now.
func (db *DB) rowsOf(ctx context.Context, answers iter.Seq2[Answer, error], c Columns) iter.Seq2[ImportRow, error] {
	return func(yield func(ImportRow, error) bool) {
		var some []Answer
		flush := func() bool {
			rows, err := db.answered(ctx, some, c)
			some = some[:0]
			if err != nil {
				yield(ImportRow{}, err)
				return false
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return false
				}
			}
			return true
		}
		for a, err := range answers {
			if err != nil {
				yield(ImportRow{}, err)
				return
			}
			if some = append(some, a); len(some) == answersAtOnce && !flush() {
				return
			}
		}
		flush()
	}
}

func (db *DB) answered(ctx context.Context, answers []Answer, c Columns) ([]ImportRow, error) {
	var numbers pq.StringArray
	for _, a := range answers {
		numbers = append(numbers, string(a.Number))
	}
	known := make(map[conversion.SubscriberNumber]numberedSpace)
	for s, err := range readRows[numberedSpace](ctx, db.x, numberedSpaces, numbers) {
		if err != nil {
			return nil, fmt.Errorf("read the spaces of a firm: %w", err)
		}
		known[s.Number] = s
	}
	rows := make([]ImportRow, len(answers))
	for i, a := range answers {
		rows[i] = rowOf(a, known, c)
	}
	return rows, nil
}

func rowOf(a Answer, known map[conversion.SubscriberNumber]numberedSpace, c Columns) ImportRow {
	r := ImportRow{Line: a.Line, Space: conversion.Space{Number: a.Number}, Cell: a.Cell, Reason: a.Reason, Warning: a.Warning}
	if r.Reason != "" {
		return r
	}
	reject := func(column, reason string) ImportRow {
		r.Cell, r.Reason = fmt.Sprintf("%s%d", column, a.Line), reason
		return r
	}
	found, ok := known[a.Number]
	if !ok {
		return reject(c.Number, "aucun espace n’a ce numéro d’abonné")
	}
	space := found.space()
	switch {
	case a.New.IsZero() || a.New.Same(space.Contact) || space.Access == conversion.AccessPassword: // nothing to change
	case !a.Current.Same(space.Contact):
		return reject(c.Email, "l’adresse de contact de cet espace a changé depuis que ce fichier a été fait")
	default:
		space.Contact = a.New
	}
	r.Space, r.Priority = space, found.Priority
	r.IssuerKey = string(a.Number) + " " + space.Certificate.Issuer // no firm can help it if two spaces share a certificate
	return r
}
