// Package report writes the administrators' workbook (C8): spaces and people first,
// with charts, then one row per request, and the refused rows. It holds values only,
// never a formula (I7), and speaks French (D7).
package report

import (
	"fmt"
	"io"
	"iter"

	"bascule/internal/atomicfile"
	"bascule/internal/conversion"
	"bascule/internal/workbook"
)

// Kind is the kind in the seal of a report.
const Kind = "report"

// WriteFile writes the workbook to a file, which is complete or absent (I7), and seals
// it. As long as nobody changes it, a later report may take its place.
func WriteFile(path string, r conversion.Report) error {
	return atomicfile.WriteSealed(path, Kind, func(w io.Writer) error { return Write(w, r) })
}

// Write writes the workbook. Rows beyond the limit of one sheet go on in « Demandes (2)
// » and so forth. Memory does not grow with the rows (I8): each is compressed to w as
// it comes. If Write fails, w has got nothing or a part.
func Write(w io.Writer, r conversion.Report) error { return write(w, r, maxRows) }

// maxRows is how many rows a sheet can hold.
const maxRows = 1 << 20

func write(w io.Writer, r conversion.Report, rowsPerSheet int) error {
	// The sheets are in the order in which people read them.
	b := &book{Book: workbook.New(w, summaryName, daySheet, monthSheet, domainSheet, issuerSheet, requestSheet), rowsPerSheet: rowsPerSheet}
	states := make(map[conversion.State]int)
	for _, s := range conversion.States() {
		states[s] = b.Style(stateStyle(s))
	}
	g, err := gather(r.Spaces)
	if err != nil {
		return fmt.Errorf("report: spaces: %w", err)
	}
	t := &tally{states: make(map[conversion.State]int), days: make(map[int64]*[len(dayColumns)]int)}
	if err := fill(b, requestSheet, requestFields(states), r.Requests, t.add); err != nil {
		return fmt.Errorf("report: requests: %w", err)
	}
	if err := fill(b, rejectedSheet, rejectedFields, r.Rejected, nil); err != nil {
		return fmt.Errorf("report: rejected rows: %w", err)
	}
	b.writeDays(t.byDay())
	b.writeGroup(monthSheet, "Fin du certificat", 22, g.months, others{}, g.all)
	b.writeGroup(domainSheet, "Messagerie de l’adresse de contact", 40, g.domains, g.otherDomains, g.all)
	b.writeGroup(issuerSheet, "Émetteur du certificat", 60, g.issuers, g.otherIssuers, g.all)
	b.summarize(r, g.all, t)
	if err := b.Close(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// WriteCSV writes the requests alone.
func WriteCSV(w io.Writer, requests iter.Seq2[conversion.ReportRequest, error]) error {
	if err := workbook.WriteCSV(w, requestFields(nil), requests); err != nil {
		return fmt.Errorf("report: requests: %w", err)
	}
	return nil
}
