// Package xlsx reads workbooks in the format of Excel 2007 and later (ECMA-376,
// transitional and strict), each part once and to its last byte.
//
// It reads the names of the sheets, merged cells, and whether sheets, rows and columns
// are hidden. Of each cell it reads the text that the sheet shows: shared and rich
// texts, numbers with all their digits, dates by their formats, the computed values of
// formulas. It computes nothing, and reads no charts, comments or colours.
//
// It refuses with an *Error a workbook that is damaged anywhere, even in parts that
// nobody asked for, or that needs a password. It also refuses work that no workbook
// causes: parts that inflate beyond measure, texts that are repeated without end, XML
// with a DOCTYPE. So a caller believes nothing of a sheet before Rows returned, and
// nothing of a workbook before Verify did. Memory does not grow with the file, and
// everything ends with the context.
package xlsx

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"strings"

	"bascule/internal/text"
)

// Workbook is an open workbook. The caller closes it.
type Workbook struct {
	Sheets []*Sheet // in order, without charts and dialogs

	archive  *archive
	date1904 bool
	strings  sharedStrings
	formats  []Format // of the styles
}

// maxSheets is far above what people make; every sheet is checked whole. So is maxLink,
// which bounds the length of a link or of a sheet's name.
const (
	maxSheets = 1024
	maxLink   = 1024
)

// Open reads the list of the sheets, the styles and the shared texts.
func Open(ctx context.Context, file io.ReaderAt, size int64) (*Workbook, error) {
	a, err := openArchive(file, size, &budget{ctx: ctx})
	if err != nil {
		return nil, err
	}
	main, err := findMain(a)
	if err != nil {
		return nil, err
	}
	w := &Workbook{archive: a}
	if err := w.open(main); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Format is how a cell shows its number.
func (w *Workbook) Format(style int) Format {
	if style < 1 || style > len(w.formats) {
		return Format{}
	}
	return w.formats[style-1]
}

// Verify checks all parts that nobody has read: sheets without Rows, pictures,
// everything.
func (w *Workbook) Verify() error { return w.archive.verify() }

// Close deletes the temporary files.
func (w *Workbook) Close() error { return w.strings.close() }

func (w *Workbook) open(main *entry) error {
	rels, err := readRelations(w.archive, main.name)
	if err != nil {
		return err
	}
	if err := w.archive.parse(main, func(x *xmlReader) error { return w.readMain(x, rels) }); err != nil {
		return err
	}
	if len(w.Sheets) == 0 {
		return &Error{Problem: NoSheet}
	}
	if e := rels.first(w.archive, "styles"); e != nil {
		err = w.archive.parse(e, func(x *xmlReader) (err error) {
			w.formats, err = readStyles(x)
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := w.strings.open(); err != nil {
		return err
	}
	if e := rels.first(w.archive, "sharedStrings"); e != nil {
		return w.archive.parse(e, w.strings.read)
	}
	return nil
}

// findMain finds the part that is the workbook, or says what else the archive is.
func findMain(a *archive) (*entry, error) {
	rels, err := readRelations(a, "")
	if err != nil {
		return nil, err
	}
	if e := rels.first(a, "officeDocument"); e != nil && strings.HasSuffix(strings.ToLower(e.name), ".xml") {
		return e, nil
	}
	if e := a.find("xl/workbook.xml"); e != nil {
		return e, nil
	}
	return nil, &Error{Problem: NoWorkbook}
}

// parse reads a part as XML and turns its errors into a refusal that names it. visit
// must read to the end: the rest is not checked.
func (a *archive) parse(e *entry, visit func(*xmlReader) error) error {
	r, err := a.open(e)
	if err != nil {
		return err
	}
	ahead, stop := readAhead(r)
	defer stop()
	err = visit(newXMLReader(ahead))
	if bad, ok := errors.AsType[xmlError](err); ok {
		return &Error{BadPart, e.name, bad.Error()}
	}
	return err
}

// relations are the links of one part, by id and in order.
type relations []relation

type relation struct{ id, kind, target string }

// maxRelations bounds the links of one part.
const maxRelations = maxEntries

// readRelations reads the links of a part; a part may have none. The part "" is the
// package.
func readRelations(a *archive, part string) (relations, error) {
	dir, base := path.Split(part)
	e := a.find(dir + "_rels/" + base + ".rels")
	if e == nil {
		return nil, nil
	}
	var list relations
	err := a.parse(e, func(x *xmlReader) error {
		return x.document("Relationships", nsLinks, map[string]func() error{"Relationship": func() error {
			if len(list) == maxRelations {
				return xmlError("it has too many links")
			}
			id, kind, target := x.attr("Id"), x.attr("Type"), x.attr("Target")
			if max(len(id), len(kind), len(target)) > maxLink {
				return errLong
			}
			list = append(list, relation{id, path.Base(kind), resolve(dir, target)})
			return x.skip()
		}})
	})
	return list, err
}

// resolve makes the name of an entry from the target of a link.
func resolve(dir, target string) string {
	if strings.HasPrefix(target, "/") {
		return path.Clean(target)[1:]
	}
	return path.Join(dir, target)
}

// first is the part that the first link of a kind leads to, or nil.
func (list relations) first(a *archive, kind string) *entry {
	for _, r := range list {
		if r.kind == kind {
			return a.find(r.target)
		}
	}
	return nil
}

// readMain reads the list of sheets and the calendar of the workbook.
func (w *Workbook) readMain(x *xmlReader, rels relations) error {
	return x.document("workbook", nsSpreadsheet, map[string]func() error{
		"workbookPr": func() error { w.date1904 = isTrue(x.attr("date1904")); return x.skip() },
		"sheets":     func() error { return x.leaves("sheet", func() error { return w.addSheet(x, rels) }) },
	})
}

// isTrue reads a boolean attribute.
func isTrue(s string) bool { return s == "1" || s == "true" || s == "on" }

func (w *Workbook) addSheet(x *xmlReader, rels relations) error {
	if len(w.Sheets) == maxSheets {
		return xmlError("it has too many sheets")
	}
	if len(x.attr("name")) > maxLink {
		return errLong
	}
	sheet := &Sheet{Name: x.attr("name"), Hidden: x.attr("state") != "" && x.attr("state") != "visible", book: w}
	id := relationID(x)
	for _, r := range rels {
		if r.id != id {
			continue
		}
		if r.kind != "worksheet" {
			return nil // a chart or a dialog holds no rows
		}
		if sheet.part = w.archive.find(r.target); sheet.part == nil {
			return xmlError("the sheet " + text.Excerpt(sheet.Name) + " is missing")
		}
		w.Sheets = append(w.Sheets, sheet)
		return nil
	}
	return xmlError("the sheet " + text.Excerpt(sheet.Name) + " is missing")
}

// relationID is the r:id of an element, whatever the prefix is called.
func relationID(x *xmlReader) string {
	for _, a := range x.attrs {
		if !bytes.HasSuffix(a.name, []byte(":id")) {
			continue
		}
		if space, _, err := x.scope.resolve(a.name); err == nil && space == nsDocument {
			return string(a.value)
		}
	}
	return ""
}
