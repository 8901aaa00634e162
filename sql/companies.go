package sql

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"

	"bascule/internal/conversion"
)

// Companies are the companies of a space, as far as one page shows them.
type Companies struct {
	All      []conversion.Company // without their services, in the order of their SIRENs
	Services int                  // of all of them
	Chosen   *conversion.Company  // with its services: the company asked for, else the first; nil if there is none
}

//go:embed query/companies_of.sql
var companiesOf string

// CompaniesOf reads the companies of a space. It reads the company with this SIREN with
// its services. It returns conversion.ErrNotFound for an unknown space.
func (db *DB) CompaniesOf(ctx context.Context, space int64, siren conversion.SIREN) (Companies, error) {
	var row struct {
		All      []byte `db:"companies"`
		Services int    `db:"services"`
		Chosen   []byte `db:"chosen"`
	}
	err := found(db.x.GetContext(ctx, &row, companiesOf, space, siren))
	c := Companies{Services: row.Services}
	if err == nil {
		err = errors.Join(json.Unmarshal(row.All, &c.All), json.Unmarshal(row.Chosen, &c.Chosen))
	}
	return c, wrap(err, "read the companies of space %d", space)
}
