package conversion

import (
	"iter"
	"time"
)

// A Report is everything about a batch, a campaign, or all of them, at one instant. Its
// sequences are read once, row by row, in this order; nil is an empty one.
type Report struct {
	At             time.Time
	Administration string // the author of the report; "" if it is not set
	Batch          int64  // 0: not of one batch
	FileName       string // of the batch's spreadsheet
	Campaign       string // its name as it is stored; "": not of one campaign
	Rows           ReportRows
	Spaces         iter.Seq2[ReportSpaces, error]
	Requests       iter.Seq2[ReportRequest, error]
	Rejected       iter.Seq2[ReportRejected, error]
}

// ReportRows counts the rows of spreadsheets, each as it was handed in last.
type ReportRows struct {
	Files   int `db:"files"`
	Rows    int `db:"rows"`
	Taken   int `db:"taken"`
	NotDue  int `db:"not_due"`
	Refused int `db:"refused"` // rejected or excluded rows
	// These are the refused rows that no later file has again.
	StillExcluded int `db:"still_excluded"`
	StillRejected int `db:"still_rejected"`
}

// The kinds of ReportSpaces.
const (
	AllSpaces      = ""
	SpacesByMonth  = "month" // in which the certificate ends
	SpacesByDomain = "domain"
	SpacesByIssuer = "issuer"
)

// ReportSpaces counts the spaces of one group, each once. Switched to Cancelled add up
// to Spaces. Groups of a kind follow each other: months in order, the others from the largest on.
type ReportSpaces struct {
	Kind        string    `db:"kind"`
	Month       time.Time `db:"month"` // its first day
	Name        string    `db:"name"`  // of the domain or issuer
	Spaces      int       `db:"spaces"`
	Invited     int       `db:"invited"` // a mail went out, or the space is switched
	Switched    int       `db:"switched"`
	ToInvite    int       `db:"to_invite"`
	Open        int       `db:"open"` // the code is good
	Late        int       `db:"late"` // the code is not good any more
	Unreachable int       `db:"unreachable"`
	Cancelled   int       `db:"cancelled"`
}

// A ReportRequest is one request. Instants that have not come are zero. Its JSON is for
// whoever knows the space already.
type ReportRequest struct {
	ID                 int64            `json:"id"`
	Number             SubscriberNumber `json:"-"`
	Holder             string           `json:"-"`
	Origin             string           `json:"origin"`          // import, retry or space
	Batch              int64            `json:"batch,omitempty"` // 0: made by the subscriber
	State              State            `json:"state"`
	Email              string           `json:"email"`
	Generation         int              `json:"-"`
	CertificateExpires time.Time        `json:"-"` // midnight UTC of the day
	RequestedAt        time.Time        `json:"requested_at"`
	StartedAt          time.Time        `json:"started_at,omitzero"`
	MailedAt           time.Time        `json:"mailed_at,omitzero"`
	ExpiresAt          time.Time        `json:"deadline,omitzero"`
	BouncedAt          time.Time        `json:"bounced_at,omitzero"`
	Bounce             Bounce           `json:"bounce,omitempty"`
	NotDelivered       bool             `json:"-"` // the code sat in a queue until it was dead (D11)
	ActivatedAt        time.Time        `json:"activated_at,omitzero"`
	EndedAt            time.Time        `json:"ended_at,omitzero"`
	Refusal            string           `json:"refusal,omitempty"`  // the relay's last, in its words
	InDoubt            bool             `json:"in_doubt,omitempty"` // a mail may have been sent twice, or not at all (I5)
}

// A ReportRejected is one row of a spreadsheet that was not taken.
type ReportRejected struct {
	Batch    int64  `db:"batch"`
	FileName string `db:"file_name"`
	Line     int    `db:"line"`
	Verdict  string `db:"verdict"` // rejected, or excluded (D17)
	Cell     string `db:"cell"`
	Reason   string `db:"reason"` // in French
	Number   string `db:"number"` // as written in the file
}
