package main

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/xuri/excelize/v2"

	"bascule/importer/sample"
)

// sheet FILE [NAME]: prints a sheet, by default the first one that holds more than
// counts, a row a line and the cells separated by " | ".
func printSheet(ts *testscript.TestScript, _ bool, args []string) {
	book := openBook(ts, args[0])
	defer book.Close()
	name := listName(book)
	if len(args) > 1 {
		name = args[1]
	}
	rows, err := book.GetRows(name)
	ts.Check(err)
	for _, row := range rows {
		io.WriteString(ts.Stdout(), strings.Join(row, " | ")+"\n")
	}
}

// listName is the first sheet behind the summary, if there is one.
func listName(book *excelize.File) string {
	if name := book.GetSheetName(0); name != "Synthèse" {
		return name
	}
	return book.GetSheetName(1)
}

// cell FILE CELL VALUE: types a text into a cell of that sheet, and saves.
func setCell(ts *testscript.TestScript, _ bool, args []string) {
	book := openBook(ts, args[0])
	defer book.Close()
	ts.Check(book.SetCellStr(listName(book), args[1], args[2]))
	ts.Check(book.Save())
}

// fill TEMPLATE LIST.csv: types the lines of the list below the header of the template.
func fillTemplate(ts *testscript.TestScript, _ bool, args []string) {
	book := openBook(ts, args[0])
	defer book.Close()
	lines, err := csv.NewReader(strings.NewReader(ts.ReadFile(args[1]))).ReadAll()
	ts.Check(err)
	name := book.GetSheetName(0)
	filled, err := book.GetRows(name)
	ts.Check(err)
	for i, line := range lines {
		ts.Check(book.SetSheetRow(name, "A"+strconv.Itoa(len(filled)+1+i), &line))
	}
	ts.Check(book.Save())
}

func openBook(ts *testscript.TestScript, name string) *excelize.File {
	book, err := excelize.OpenFile(ts.MkAbs(name))
	ts.Check(err)
	return book
}

// sample FILE ROWS: writes a list of fictitious subscribers.
func writeSample(ts *testscript.TestScript, _ bool, args []string) {
	rows, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), sampleBook(rows), 0o600))
}

func sampleBook(rows int) []byte {
	var b bytes.Buffer
	if err := sample.Write(&b, rows, 1); err != nil {
		panic(err) // to memory
	}
	return b.Bytes()
}

// wrongFiles are spreadsheets that nobody should believe, by their fault.
var wrongFiles = map[string]func() ([]byte, error){
	"empty":     func() ([]byte, error) { return nil, nil },
	"truncated": func() ([]byte, error) { b := sampleBook(30); return b[:len(b)/2], nil },
	"checksum":  func() ([]byte, error) { return rezip(sampleBook(30), func(h *zip.FileHeader) { h.CRC32++ }) },
	"encrypted": encrypted,
	"xls": func() ([]byte, error) {
		return append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 4096)...), nil
	},
	"bomb": func() ([]byte, error) { return withBomb(sampleBook(30)) },
	"html": func() ([]byte, error) { return []byte("<html><table><tr><td>numéro d'abonné</table></html>"), nil },
	"pdf":  func() ([]byte, error) { return []byte("%PDF-1.7\n%âãÏÓ\n"), nil },
}

// wrong KIND FILE: writes such a file.
func writeWrongFile(ts *testscript.TestScript, _ bool, args []string) {
	make, ok := wrongFiles[args[0]]
	if !ok {
		ts.Fatalf("the kinds are %q", slices.Sorted(maps.Keys(wrongFiles)))
	}
	content, err := make()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), content, 0o600))
}

// encrypted is a workbook that asks for a password.
func encrypted() ([]byte, error) {
	book, err := excelize.OpenReader(bytes.NewReader(sampleBook(30)))
	if err != nil {
		return nil, err
	}
	defer book.Close()
	var b bytes.Buffer
	err = book.Write(&b, excelize.Options{Password: "sesame"})
	return b.Bytes(), err
}

// rezip copies an archive and changes what it says about its sheets.
func rezip(archive []byte, change func(*zip.FileHeader)) ([]byte, error) {
	in, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range in.File {
		header := f.FileHeader
		if strings.Contains(f.Name, "worksheets/") {
			change(&header)
		}
		raw, err := f.OpenRaw()
		if err != nil {
			return nil, err
		}
		w, err := out.CreateRaw(&header)
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(w, raw); err != nil {
			return nil, err
		}
	}
	err = out.Close()
	return b.Bytes(), err
}

// withBomb adds 64 MiB that deflate to nearly nothing.
func withBomb(archive []byte) ([]byte, error) {
	in, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range in.File {
		if err := out.Copy(f); err != nil {
			return nil, err
		}
	}
	w, err := out.Create("xl/media/image1.png")
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, 1<<20)
	for range 64 {
		if _, err := w.Write(zeros); err != nil {
			return nil, err
		}
	}
	err = out.Close()
	return b.Bytes(), err
}
