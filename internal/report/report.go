// Package report writes the administrators' workbook (C8): spaces and people first,
// with charts, then one row per request, and the refused rows. It holds values only,
// never a formula (I7), and speaks French (D7).
package report

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"time"

	"bascule/internal/atomicfile"
	"bascule/internal/conversion"
	"bascule/internal/workbook"
)

// Report is the content of the workbook. All of it should come from one snapshot, so
// that it agrees with itself.
type Report struct {
	GeneratedAt    time.Time
	Administration string // the author of the report; "" if it is not set
	Batch          int64  // 0: not of one batch
	FileName       string // of the batch's spreadsheet
	Campaign       string // "": not of one campaign
	Rows           Rows
	// The sequences are read once, row by row, in this order; nil is an empty one. The
	// first error ends the report.
	Spaces   iter.Seq2[Spaces, error]
	Requests iter.Seq2[Request, error]
	Rejected iter.Seq2[Rejected, error]
}

// Rows counts the rows of spreadsheets.
type Rows struct {
	Files   int
	Rows    int
	Taken   int
	NotDue  int
	Refused int // rejected or excluded when they were handed in
	// These are the refused rows that no later file has again.
	StillExcluded int
	StillRejected int
}

// The kinds of groups of spaces.
const (
	AllSpaces = ""
	ByMonth   = "month" // in which the certificate ends
	ByDomain  = "domain"
	ByIssuer  = "issuer"
)

// Spaces counts the spaces of one group, each once: Switched to Cancelled add up to
// Spaces. Groups of a kind follow each other, months in order.
type Spaces struct {
	Kind        string
	Month       time.Time // its first day
	Name        string    // of the domain or issuer
	Spaces      int
	Invited     int // a mail went out, or the space is switched
	Switched    int
	ToInvite    int
	Open        int // the code is good
	Late        int // the code is not good any more
	Unreachable int
	Cancelled   int
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
	Reason             string    // the relay's last refusal, in its words
}

// Rejected is one row of « Rejets »: a row of a spreadsheet that was rejected or
// excluded.
type Rejected struct {
	Batch    int64
	FileName string
	Line     int
	Excluded bool // left alone (D17); else the row is wrong
	Cell     string
	Reason   string // in French
	Number   string // as written in the file
}

// Kind is the kind in the seal of a report.
const Kind = "report"

// WriteFile writes the workbook to a file, which is complete or absent (I7), and seals
// it. As long as nobody changes it, a later report may take its place.
func WriteFile(path string, r Report) error {
	return atomicfile.WriteSealed(path, Kind, func(w io.Writer) error { return Write(w, r) })
}

// Write writes the workbook. Rows beyond the limit of one sheet go on in « Demandes (2)
// » and so forth. Memory does not grow with the rows (I8): each is compressed to w as
// it comes. If Write fails, w has got nothing or a part.
func Write(w io.Writer, r Report) error { return write(w, r, maxRows) }

// maxRows is how many rows a sheet can hold.
const maxRows = 1 << 20

func write(w io.Writer, r Report, rowsPerSheet int) error {
	b := newBook(w, rowsPerSheet)
	g, err := gather(r.Spaces)
	if err != nil {
		return fmt.Errorf("report: spaces: %w", err)
	}
	t := newTally()
	if err := fill(b, requestSheet, b.requestColumns(), r.Requests, t.add); err != nil {
		return fmt.Errorf("report: requests: %w", err)
	}
	if err := fill(b, rejectedSheet, b.rejectedColumns(), r.Rejected, nil); err != nil {
		return fmt.Errorf("report: rejected rows: %w", err)
	}
	b.writeGroups(g, t)
	b.summarize(r, g.all, t)
	if err := b.Close(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// WriteCSV writes the requests alone, in the form of French spreadsheet programs: UTF-8
// with its byte order mark, semicolons, CRLF. No text is a formula (I7).
func WriteCSV(w io.Writer, requests iter.Seq2[Request, error]) error {
	out := bufio.NewWriterSize(w, 1<<16)
	columns := (&book{}).requestColumns()
	cells := make([]workbook.Cell, len(columns))
	for i, c := range columns {
		cells[i] = workbook.Text(c.title)
	}
	line := workbook.AppendLine([]byte("\ufeff"), cells...)
	out.Write(line) // Flush tells
	for r, err := range requests {
		if err != nil {
			return fmt.Errorf("report: requests: %w", err)
		}
		for i := range columns {
			cells[i] = columns[i].value(&r)
		}
		line = workbook.AppendLine(line[:0], cells...)
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}
