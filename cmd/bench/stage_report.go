package main

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"time"

	"github.com/xuri/excelize/v2"
)

// reportGoal is the goal against StreamWriter alone: the report takes at most 1.15
// times as long.
const reportGoal = 1 / 1.15

// reportStage writes the report of a mailed list. The reference writes the same cells
// with excelize alone.
func reportStage(ctx context.Context, s *site) (lines []*line, err error) {
	l := &line{Name: "of a mailed list", Rows: s.rows, Unit: "rows/s", Against: "by StreamWriter", Goal: reportGoal}
	_, accepted, err := s.invite(ctx, s.rows, 1)
	if err != nil {
		return nil, err
	}
	m, err := s.meter(ctx)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(s.dir, s.db.name+".xlsx")
	var sheets []sheet
	for range s.repeat {
		p, err := s.run(ctx, "report", path, "--force")
		if err != nil {
			return nil, err
		}
		l.Product = append(l.Product, float64(accepted)/p.took.Seconds())
		if m.add(p); l.Detail == nil {
			if l.Detail, err = m.read(ctx, accepted); err != nil {
				return nil, err
			}
		}
		if sheets, err = readSheets(path); err != nil {
			return nil, err
		}
		for range 2 {
			took, err := streamSheets(filepath.Join(s.dir, "reference.xlsx"), sheets)
			if err != nil {
				return nil, err
			}
			l.Reference = append(l.Reference, float64(accepted)/took.Seconds())
		}
	}
	if l.Detail.Ledger, err = s.ledger(ctx, accepted); err != nil {
		return nil, err
	}
	l.Detail.Ledger = append(l.Detail.Ledger, entry{What: "rows of the report's longest sheet are the accepted rows", Want: accepted, Got: longest(sheets) - 2}) // two rows of headings
	return []*line{l, limit("memory", "MB", accepted, l.Detail.Memory["report"], reportMemory)}, err
}

// reportMemory is how much memory a report of any length may take, in MB.
const reportMemory = 150

// A sheet has the cells of a sheet, as they are written: numbers, texts, or nothing.
type sheet struct {
	name string
	rows [][]any
}

func longest(sheets []sheet) (n int) {
	for _, s := range sheets {
		n = max(n, len(s.rows))
	}
	return n
}

// readSheets reads a workbook's cells.
func readSheets(path string) (sheets []sheet, err error) {
	book, err := excelize.OpenFile(path, excelize.Options{RawCellValue: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	for _, name := range book.GetSheetList() {
		s := sheet{name: name}
		rows, err := book.Rows(name)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			texts, err := rows.Columns()
			if err != nil {
				return nil, err
			}
			s.rows = append(s.rows, cells(texts))
		}
		if err := errors.Join(rows.Error(), rows.Close()); err != nil {
			return nil, err
		}
		sheets = append(sheets, s)
	}
	return sheets, nil
}

// cells turns texts that are numbers into numbers. A number with a leading zero stays a
// text.
func cells(texts []string) []any {
	row := make([]any, len(texts))
	for i, text := range texts {
		if text == "" {
			continue
		}
		row[i] = text
		if v, err := strconv.ParseFloat(text, 64); err == nil && text[0] != '0' {
			row[i] = v
		}
	}
	return row
}

// streamSheets writes the cells with StreamWriter, and tells how long that took.
func streamSheets(path string, sheets []sheet) (took time.Duration, err error) {
	began := time.Now()
	book := excelize.NewFile()
	defer func() { err = errors.Join(err, book.Close()) }()
	for _, s := range sheets {
		if _, err := book.NewSheet(s.name); err != nil {
			return 0, err
		}
		w, err := book.NewStreamWriter(s.name)
		if err != nil {
			return 0, err
		}
		for i, row := range s.rows {
			if err := w.SetRow("A"+strconv.Itoa(i+1), row); err != nil {
				return 0, err
			}
		}
		if err := w.Flush(); err != nil {
			return 0, err
		}
	}
	if err := book.SaveAs(path); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}
