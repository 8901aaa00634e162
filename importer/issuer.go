package importer

import (
	"errors"
	"iter"

	"bascule/internal/certificate"
	"bascule/sql"
)

// issuers finds the authority that each row's issuer names. It warns of issuers that
// name none or several. Their spaces are invited all the same, but the certificate
// cannot open them (R7).
type issuers struct {
	store *certificate.Store // nil if nobody enters with a certificate: only the text counts
	known map[string]issuer  // by the sheet's text
}

// An issuer is the result for one text.
type issuer struct{ key, warning string }

// maxIssuers bounds the memory for a sheet that has another text in each row (I8).
const maxIssuers = 10_000

// tell adds key and warning to rows as they pass.
func (s *issuers) tell(rows iter.Seq2[sql.ImportRow, error]) iter.Seq2[sql.ImportRow, error] {
	return func(yield func(sql.ImportRow, error) bool) {
		for row, err := range rows {
			if err == nil && row.Reason == "" {
				of := s.of(row.Space.Certificate.Issuer)
				row.IssuerKey, row.Warning = of.key, join(row.Warning, of.warning)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

func (s *issuers) of(text string) issuer {
	of, ok := s.known[text]
	if !ok {
		if of = (issuer{key: certificate.Key(text)}); s.store != nil {
			_, err := s.store.Match(text)
			of = issuer{s.store.Key(text), issuerWarning(text, err)}
		}
		if len(s.known) < maxIssuers {
			s.known[text] = of
		}
	}
	return of
}

func issuerWarning(issuer string, err error) string {
	const consequence = ", l’abonné ne pourra pas entrer avec son certificat"
	switch {
	case err == nil:
		return ""
	case issuer == "":
		return "attention : sans émetteur, plusieurs autorités sont possibles" + consequence
	case errors.Is(err, certificate.ErrSeveralAuthorities):
		return "attention : l’émetteur désigne plusieurs autorités connues" + consequence
	}
	return "attention : l’émetteur ne désigne aucune autorité connue" + consequence
}

func join(one, other string) string {
	if one == "" || other == "" {
		return one + other
	}
	return one + " ; " + other
}
