package main

import (
	"context"
	"errors"
)

// The goals of an import: against COPY, and of the same rows as xlsx against CSV.
const (
	importGoal   = 0.60
	xlsxGoal     = 0.85
	importMemory = 150 // MB
)

// importStage compares imports with COPY of the rows that they leave. COPY fills fresh
// tables of the product with all their indexes and foreign keys.
func importStage(ctx context.Context, b *bench) ([]*line, error) {
	csv := &line{Name: "CSV, all committed", Unit: "rows/s", Against: "by COPY", Goal: importGoal, Rows: b.rows}
	xlsx := &line{Name: "xlsx, the same rows", Unit: "rows/s", Against: "from CSV", Goal: xlsxGoal, Rows: b.rows}
	book := &line{Name: "xlsx with the sheet Dossiers", Unit: "rows/s", Against: "from CSV", Rows: b.rows}
	for range b.repeat {
		files, err := b.importOnce(ctx, csv, csvList, true)
		if err != nil {
			return nil, err
		}
		for range 2 {
			took, err := b.copyIn(ctx, files)
			if err != nil {
				return nil, err
			}
			csv.Reference = append(csv.Reference, float64(b.rows)/took.Seconds())
		}
		if _, err := b.importOnce(ctx, xlsx, xlsxList, false); err != nil {
			return nil, err
		}
		if _, err := b.importOnce(ctx, book, xlsxBook, false); err != nil {
			return nil, err
		}
	}
	xlsx.Reference, book.Reference = csv.Product, csv.Product
	lines := []*line{csv, xlsx, book}
	for _, l := range lines[:3] {
		lines = append(lines, limit(l.Name+", memory", "MB", b.rows, l.Detail.Memory["import"], importMemory))
	}
	return lines, nil
}

// importOnce imports a list into a fresh database. files are the rows that it left, if
// rows is true.
func (b *bench) importOnce(ctx context.Context, l *line, f form, rows bool) (files []copied, err error) {
	s, err := b.newSite(ctx, false, faults{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	m, err := s.meter(ctx)
	if err != nil {
		return nil, err
	}
	in, err := s.importList(ctx, b.rows, 1, f)
	if err != nil {
		return nil, err
	}
	m.add(in.process)
	d, err := m.read(ctx, b.rows)
	if err != nil {
		return nil, err
	}
	l.Product = append(l.Product, float64(in.Rows)/in.process.took.Seconds())
	if d.Ledger, err = s.ledger(ctx, in.Accepted); err != nil {
		return nil, err
	}
	l.take(d)
	if !rows {
		return nil, nil
	}
	return s.db.copyOut(ctx)
}
