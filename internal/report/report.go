// Package report writes the administrators' workbook (C8): a summary with
// charts, one row per request, the rejected rows. It holds values only, never a
// formula (I7), and speaks French (D7).
package report

import (
	"fmt"
	"io"
	"iter"
	"time"

	"bascule/internal/atomicfile"
	"bascule/internal/conversion"
	"bascule/internal/workbook"
)

// Report is what the workbook says. What the summary counts of requests comes from
// their rows. Spaces should come from the same snapshot, or they will not agree.
type Report struct {
	GeneratedAt time.Time
	Batch       int64  // 0: all batches
	FileName    string // of the batch's spreadsheet
	Spaces      map[conversion.Access]int
	// Requests and Rejected are read once, row by row; nil is none. The first
	// error ends the report.
	Requests iter.Seq2[Request, error]
	Rejected iter.Seq2[Rejected, error]
}

// Request is one row of « Demandes ». A zero time is an empty cell.
type Request struct {
	ID                 int64
	Number             string
	Holder             string
	Email              string
	Batch              int64 // 0: made by the subscriber
	State              conversion.State
	Origin             string // in French
	Generation         int
	InDoubt            bool // a mail may have been sent twice, or not at all (I5)
	RequestedAt        time.Time
	StartedAt          time.Time
	MailedAt           time.Time
	ExpiresAt          time.Time
	ActivatedAt        time.Time
	EndedAt            time.Time
	BouncedAt          time.Time
	Bounce             conversion.Bounce
	NotDelivered       bool      // the code sat in a queue until it was dead (D11)
	CertificateExpires time.Time // midnight UTC of the day
	Reason             string    // the last refusal
}

// Rejected is one row of « Rejets »: a row of a spreadsheet that was not taken.
type Rejected struct {
	Batch    int64
	FileName string
	Line     int
	Excluded bool // left alone (D17); else the row is wrong
	Cell     string
	Reason   string // in French
	Number   string // as written there
}

// cameBack tells of what class the bounce was. A mail that was late and had its
// code die meanwhile was not delivered.
func (r Request) cameBack() string {
	if r.NotDelivered {
		return "non remis à temps"
	}
	return r.Bounce.French()
}

func (r Rejected) verdict() string {
	if r.Excluded {
		return "exclu"
	}
	return "rejeté"
}

// Kind is what the seal of a report says.
const Kind = "report"

// WriteFile writes the workbook to a file, which is complete or absent (I7), and
// seals it: as long as nobody changes it, a later report may take its place.
func WriteFile(path string, r Report) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		return atomicfile.Seal(w, Kind, func(w io.Writer) error { return Write(w, r) })
	})
}

// Write writes the workbook. Rows beyond what one sheet holds go on in
// « Demandes (2) » and so forth. Memory does not grow with the rows (I8): each is
// compressed to w as it comes. If Write fails, w has got nothing or a part.
func Write(w io.Writer, r Report) error { return write(w, r, maxRows) }

// maxRows is how many rows a sheet can hold.
const maxRows = 1 << 20

func write(w io.Writer, r Report, rowsPerSheet int) error {
	b, err := newBook(w, rowsPerSheet)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	t := newTally()
	listed, err := fill(b, "Demandes", b.requestColumns(), r.Requests, t.add)
	if err != nil {
		return fmt.Errorf("report: requests: %w", err)
	}
	rejected, err := fill(b, "Rejets", b.rejectedColumns(), r.Rejected, func(*Rejected) {})
	if err != nil {
		return fmt.Errorf("report: rejected rows: %w", err)
	}
	if err := b.summarize(r, t, listed, rejected); err != nil {
		return fmt.Errorf("report: summary: %w", err)
	}
	if err := b.Close(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func (b *book) requestColumns() []column[Request] {
	s := b.styles
	return []column[Request]{
		{"Numéro d'abonné", 18, s.text, func(r *Request) workbook.Cell { return text(r.Number) }},
		{"Titulaire", 32, s.text, func(r *Request) workbook.Cell { return text(r.Holder) }},
		{"Adresse électronique", 38, s.text, func(r *Request) workbook.Cell { return text(r.Email) }},
		{"État", 18, s.text, b.stateCell},
		{"Demandée le", 17, s.instant, func(r *Request) workbook.Cell { return instant(r.RequestedAt) }},
		{"Envoi commencé le", 19, s.instant, func(r *Request) workbook.Cell { return instant(r.StartedAt) }},
		{"Courriel envoyé le", 19, s.instant, func(r *Request) workbook.Cell { return instant(r.MailedAt) }},
		{"À activer avant le", 19, s.instant, func(r *Request) workbook.Cell { return instant(r.ExpiresAt) }},
		{"Activée le", 17, s.instant, func(r *Request) workbook.Cell { return instant(r.ActivatedAt) }},
		{"Terminée le", 17, s.instant, func(r *Request) workbook.Cell { return instant(r.EndedAt) }},
		{"Courriel revenu le", 19, s.instant, func(r *Request) workbook.Cell { return instant(r.BouncedAt) }},
		{"Retour", 32, s.text, func(r *Request) workbook.Cell { return text(r.cameBack()) }},
		{"Envoi incertain", 16, s.text, func(r *Request) workbook.Cell { return yes(r.InDoubt) }},
		{"Dernier refus", 44, s.text, func(r *Request) workbook.Cell { return text(r.Reason) }},
		{"Certificat valable jusqu'au", 25, s.day, func(r *Request) workbook.Cell { return day(r.CertificateExpires) }},
		{"Lot", 8, s.count, func(r *Request) workbook.Cell { return id(r.Batch) }},
		{"Origine", 18, s.text, func(r *Request) workbook.Cell { return text(r.Origin) }},
		{"Code n°", 20, s.count, func(r *Request) workbook.Cell { return number(r.Generation) }},
		{"Demande n°", 14, s.count, func(r *Request) workbook.Cell { return id(r.ID) }},
	}
}

// stateCell colours a state as the summary's chart does.
func (b *book) stateCell(r *Request) workbook.Cell {
	return text(r.State.French()).In(b.styles.states[r.State])
}

func (b *book) rejectedColumns() []column[Rejected] {
	s := b.styles
	return []column[Rejected]{
		{"Lot", 8, s.count, func(r *Rejected) workbook.Cell { return id(r.Batch) }},
		{"Fichier", 36, s.text, func(r *Rejected) workbook.Cell { return text(r.FileName) }},
		{"Ligne", 10, s.count, func(r *Rejected) workbook.Cell { return number(r.Line) }},
		{"Verdict", 10, s.text, func(r *Rejected) workbook.Cell { return text(r.verdict()) }},
		{"Cellule", 11, s.text, func(r *Rejected) workbook.Cell { return text(r.Cell) }},
		{"Numéro d'abonné", 22, s.text, func(r *Rejected) workbook.Cell { return text(r.Number) }},
		{"Motif", 90, s.text, func(r *Rejected) workbook.Cell { return text(r.Reason) }},
	}
}
