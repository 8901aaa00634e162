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
	LeftAlone   []Exclusion                 `json:"left_alone"`
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

// An Exclusion is whom nobody mails, and why.
type Exclusion struct {
	Kind   conversion.ExcludedKind `json:"kind"`
	Key    string                  `json:"key"`
	Reason string                  `json:"reason"`
	By     string                  `json:"by"`
	Since  time.Time               `json:"since"`
	Until  time.Time               `json:"until,omitzero"`
}

func newStory(s sql.Story) *Story {
	c := s.Space.Certificate
	out := Story{
		Number: s.Space.Number, Holder: s.Space.Holder, Contact: s.Space.Contact.String(), Access: s.Space.Access, Email: s.Email, SwitchedAt: s.SwitchedAt,
		Certificate: shownCertificate{c.Serial, c.Issuer, c.Expires.Format(time.DateOnly)},
		Companies:   []shownCompany{}, LeftAlone: []Exclusion{},
		Requests: append([]conversion.ReportRequest{}, s.Requests...), Log: append([]sql.AuditEntry{}, s.Audit...), Next: NextStep(s),
	}
	for _, c := range s.Companies.All {
		out.Companies = append(out.Companies, shownCompany{c.SIREN, c.Name})
	}
	for _, x := range s.Exclusions {
		out.LeftAlone = append(out.LeftAlone, newExclusion(x))
	}
	return &out
}

// newExclusion tells an exclusion to a program.
func newExclusion(x sql.SpaceExclusion) Exclusion {
	return Exclusion{x.Kind, x.Key, x.Reason, x.MadeBy, x.MadeAt, x.EndsAt.Time}
}
