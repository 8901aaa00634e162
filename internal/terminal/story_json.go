package terminal

import (
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// A Story is the story of a space for a program. Unknown facts are left out.
type Story struct {
	Number      conversion.SubscriberNumber `json:"number"`
	Holder      string                      `json:"holder"`
	Contact     string                      `json:"contact"`
	Access      conversion.Access           `json:"access"`
	Email       string                      `json:"email,omitempty"` // the identifier
	SwitchedAt  time.Time                   `json:"switched_at,omitzero"`
	Certificate shownCertificate            `json:"certificate"`
	Companies   []shownCompany              `json:"companies"`
	LeftAlone   []sql.SpaceExclusion        `json:"left_alone"`
	Requests    []conversion.ReportRequest  `json:"requests"`
	Log         []sql.AuditEntry            `json:"log"`
	Next        string                      `json:"next"`
}

type shownCertificate struct {
	Serial  conversion.SerialNumber `json:"serial"`
	Issuer  string                  `json:"issuer,omitempty"`
	Expires string                  `json:"expires"`
}

type shownCompany struct {
	SIREN conversion.SIREN `json:"siren"`
	Name  string           `json:"name"`
}

func newStory(s sql.Story) *Story {
	c := s.Space.Certificate
	out := Story{
		Number: s.Space.Number, Holder: s.Space.Holder, Contact: s.Space.Contact.String(), Access: s.Space.Access, Email: s.Email, SwitchedAt: s.SwitchedAt,
		Certificate: shownCertificate{c.Serial, c.Issuer, c.Expires.Format(time.DateOnly)},
		Companies:   []shownCompany{}, LeftAlone: append([]sql.SpaceExclusion{}, s.Exclusions...),
		Requests: append([]conversion.ReportRequest{}, s.Requests...), Log: append([]sql.AuditEntry{}, s.Audit...), Next: NextStep(s),
	}
	for _, c := range s.Companies.All {
		out.Companies = append(out.Companies, shownCompany{c.SIREN, c.Name})
	}
	return &out
}
