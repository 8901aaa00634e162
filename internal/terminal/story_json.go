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
	Requests    []shownRequest              `json:"requests"`
	Log         []shownEntry                `json:"log"`
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

type shownRequest struct {
	ID          int64             `json:"id"`
	Origin      string            `json:"origin"`
	Batch       int64             `json:"batch,omitempty"`
	State       conversion.State  `json:"state"`
	Email       string            `json:"email"`
	RequestedAt time.Time         `json:"requested_at"`
	StartedAt   time.Time         `json:"started_at,omitzero"`
	MailedAt    time.Time         `json:"mailed_at,omitzero"`
	Deadline    time.Time         `json:"deadline,omitzero"`
	BouncedAt   time.Time         `json:"bounced_at,omitzero"`
	Bounce      conversion.Bounce `json:"bounce,omitempty"`
	ActivatedAt time.Time         `json:"activated_at,omitzero"`
	EndedAt     time.Time         `json:"ended_at,omitzero"`
	Refusal     string            `json:"refusal,omitempty"`
	InDoubt     bool              `json:"in_doubt,omitempty"`
}

type shownEntry struct {
	At      time.Time `json:"at"`
	Request int64     `json:"request"`
	Event   string    `json:"event"`
	Actor   string    `json:"actor"`
	Why     string    `json:"why,omitempty"`
}

func newStory(s sql.Story) *Story {
	c := s.Space.Certificate
	out := Story{
		Number: s.Space.Number, Holder: s.Space.Holder, Contact: s.Space.Contact.String(), Access: s.Space.Access, Email: s.Email, SwitchedAt: s.SwitchedAt,
		Certificate: shownCertificate{c.Serial, c.Issuer, c.Expires.Format(time.DateOnly)},
		Companies:   []shownCompany{}, LeftAlone: []Exclusion{}, Requests: []shownRequest{}, Log: []shownEntry{},
		Next: nextStep(s),
	}
	for _, c := range s.Companies.All {
		out.Companies = append(out.Companies, shownCompany{c.SIREN, c.Name})
	}
	for _, x := range s.Exclusions {
		out.LeftAlone = append(out.LeftAlone, newExclusion(x))
	}
	for _, r := range s.Requests {
		out.Requests = append(out.Requests, shownRequest{
			ID: r.ID, Origin: r.Origin, Batch: r.Batch, State: r.State, Email: r.Email, RequestedAt: r.RequestedAt, StartedAt: r.StartedAt,
			MailedAt: r.MailedAt, Deadline: r.ExpiresAt, BouncedAt: r.BouncedAt, Bounce: r.Bounce, ActivatedAt: r.ActivatedAt, EndedAt: r.EndedAt,
			Refusal: r.Refusal, InDoubt: r.InDoubt,
		})
	}
	for _, e := range s.Audit {
		out.Log = append(out.Log, shownEntry{e.At, e.RequestID, e.Event, e.Actor, e.Why})
	}
	return &out
}

// newExclusion tells an exclusion to a program.
func newExclusion(x sql.SpaceExclusion) Exclusion {
	return Exclusion{x.Kind, x.Key, x.Reason, x.MadeBy, x.MadeAt, x.EndsAt.Time}
}
