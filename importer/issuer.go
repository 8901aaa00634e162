package importer

import (
	"errors"
	"iter"

	"bascule/internal/certificate"
	"bascule/sql"
)

// issuers tells which rows' issuers lead to no single authority: their spaces
// are invited all the same, but cannot be entered with the certificate (R7).
type issuers struct {
	store *certificate.Store
	known map[string]string // warnings by the sheet's text
}

// maxIssuers bounds the memory for a sheet that has another text in each row (I8).
const maxIssuers = 10_000

// warn adds the warnings to rows as they come by.
func (s *issuers) warn(rows iter.Seq2[sql.ImportRow, error]) iter.Seq2[sql.ImportRow, error] {
	return func(yield func(sql.ImportRow, error) bool) {
		for row, err := range rows {
			if err == nil && row.Reason == "" {
				row.Warning = join(row.Warning, s.of(row.Space.Certificate.Issuer))
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

func (s *issuers) of(issuer string) string {
	warning, ok := s.known[issuer]
	if !ok {
		_, err := s.store.Match(issuer)
		warning = issuerWarning(issuer, err)
		if len(s.known) < maxIssuers {
			s.known[issuer] = warning
		}
	}
	return warning
}

func issuerWarning(issuer string, err error) string {
	const consequence = " : l'espace ne s'ouvrira pas avec le certificat"
	switch {
	case err == nil:
		return ""
	case issuer == "":
		return "attention : sans émetteur, plusieurs autorités sont possibles" + consequence
	case errors.Is(err, certificate.ErrSeveralAuthorities):
		return "attention : l'émetteur désigne plusieurs autorités connues" + consequence
	}
	return "attention : l'émetteur ne désigne aucune autorité connue" + consequence
}

func join(one, other string) string {
	if one == "" || other == "" {
		return one + other
	}
	return one + " ; " + other
}
