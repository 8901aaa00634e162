package main

import (
	"context"
	"errors"
)

// The goals of an import: against COPY, and of xlsx against CSV.
const (
	importGoal   = 0.60
	xlsxGoal     = 0.85
	importMemory = 150 // MB
)

// importStage compares imports with COPY of the rows that they leave. COPY fills fresh
// tables of the product with all their indexes and foreign keys.
func importStage(ctx context.Context, b *bench) ([]*line, error) {
	csv := &line{Name: "CSV, all committed", Unit: "rows/s", Against: "by COPY", Goal: importGoal, Rows: b.rows}
	xlsx := &line{Name: "xlsx", Unit: "rows/s", Against: "from CSV", Goal: xlsxGoal, Rows: b.rows}
	for range b.repeat {
		files, err := b.importOnce(ctx, csv, "csv", true)
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
		if _, err := b.importOnce(ctx, xlsx, "xlsx", false); err != nil {
			return nil, err
		}
	}
	xlsx.Reference = csv.Product
	lines := []*line{csv, xlsx}
	for _, l := range lines[:2] {
		lines = append(lines, limit(l.Name+", memory", "MB", b.rows, l.Detail.Memory["import"], importMemory))
	}
	return lines, nil
}

// importOnce imports a list into a fresh database. files are the rows that it left, if
// rows is true.
func (b *bench) importOnce(ctx context.Context, l *line, extension string, rows bool) (files []copied, err error) {
	path, err := b.list(b.rows, 1, extension)
	if err != nil {
		return nil, err
	}
	s, err := b.newSite(ctx, false, faults{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	m, err := s.meter(ctx)
	if err != nil {
		return nil, err
	}
	in, err := s.importList(ctx, path)
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
