package importer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"strings"
)

// workbook is an opened xlsx file: its sheets in order, and what their cells
// refer to.
type workbook struct {
	archive  *archive
	sheets   []sheetPart
	date1904 bool
	strings  *sharedStrings
	styles   styles
}

type sheetPart struct {
	name   string
	hidden bool
	entry  *entry
}

// maxSheets is far above what people make; every sheet is checked whole. So is
// maxLink, which bounds what is kept of a link or of a sheet's name.
const (
	maxSheets = 1024
	maxLink   = 1024
)

func openWorkbook(ctx context.Context, file io.ReaderAt, size int64, progress func(done, total int64)) (*workbook, error) {
	a, err := openArchive(file, size, &budget{ctx: ctx, progress: progress})
	if err != nil {
		return nil, err
	}
	main, err := findMain(a)
	if err != nil {
		return nil, err
	}
	w := &workbook{archive: a}
	if err := w.open(main); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *workbook) close() { w.strings.close() }

func (w *workbook) open(main *entry) error {
	rels, err := readRelations(w.archive, main.name)
	if err != nil {
		return err
	}
	if err := w.archive.parse(main, func(x *xmlReader) error { return w.readMain(x, rels) }); err != nil {
		return err
	}
	if len(w.sheets) == 0 {
		return refuse("the workbook has no worksheet", "le classeur n'a aucune feuille de calcul")
	}
	if e := rels.first(w.archive, "styles"); e != nil {
		err = w.archive.parse(e, func(x *xmlReader) (err error) {
			w.styles, err = readStyles(x)
			return err
		})
		if err != nil {
			return err
		}
	}
	if w.strings, err = newSharedStrings(); err != nil {
		return err
	}
	if e := rels.first(w.archive, "sharedStrings"); e != nil {
		return w.archive.parse(e, w.strings.read)
	}
	return nil
}

// findMain finds the part that is the workbook, or says what the archive is instead.
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
	return nil, notWorkbook(a)
}

func notWorkbook(a *archive) error {
	if e := a.find("mimetype"); e != nil {
		if kind, err := a.readStart(e, 256); err == nil && strings.Contains(string(kind), "opendocument") {
			return openDocument
		}
	}
	for _, known := range []struct{ part, english, french string }{
		{"xl/workbook.bin", "a binary workbook (.xlsb)", "un classeur binaire (.xlsb)"},
		{"word/document.xml", "a Word document (.docx)", "un document Word (.docx)"},
		{"ppt/presentation.xml", "a presentation (.pptx)", "une présentation (.pptx)"},
		{"index/document.iwa", "an Apple Numbers file (.numbers)", "un document Numbers d'Apple (.numbers)"},
		{"index.zip", "an Apple Numbers file (.numbers)", "un document Numbers d'Apple (.numbers)"},
	} {
		if a.find(known.part) != nil {
			return otherFormat(known.english, known.french)
		}
	}
	return refuse("the file is an archive without a workbook: save the spreadsheet again as .xlsx",
		"le fichier est une archive sans classeur : enregistrez de nouveau la feuille au format .xlsx")
}

// openDocument refuses what LibreOffice writes if nobody tells it otherwise.
var openDocument = otherFormat("an OpenDocument file (.ods)", "un document OpenDocument (.ods)")

func otherFormat(english, french string) *FileError {
	return &FileError{
		English: "the file is " + english + ": save it as .xlsx or CSV",
		French:  "le fichier est " + french + " : enregistrez-le au format .xlsx ou CSV",
	}
}

// parse reads a part as XML and turns what is wrong with it into a refusal that
// names it. What visit leaves unread is not checked: it must read to the end.
func (a *archive) parse(e *entry, visit func(*xmlReader) error) error {
	r, err := a.open(e)
	if err != nil {
		return err
	}
	ahead := newReadAhead(r)
	defer ahead.stop()
	err = visit(newXMLReader(ahead))
	if bad, ok := errors.AsType[xmlError](err); ok {
		return damaged(printable(e.name), bad.Error())
	}
	return err
}

// openRoot reads up to the root element, which must be of that name and of a
// namespace of spreadsheets.
func openRoot(x *xmlReader, name string) error {
	root, err := x.child()
	if err != nil {
		return err
	}
	if string(root) != name || x.home != nsSpreadsheet {
		return xmlError("its root is not <" + name + "> of a spreadsheet")
	}
	return nil
}

// relations are the links of one part, by id and in order.
type relations []relation

type relation struct{ id, kind, target string }

// maxRelations bounds the links of one part.
const maxRelations = maxEntries

// readRelations reads the links of a part, none if there are none; the part ""
// is the package.
func readRelations(a *archive, part string) (relations, error) {
	dir, base := path.Split(part)
	e := a.find(dir + "_rels/" + base + ".rels")
	if e == nil {
		return nil, nil
	}
	var list relations
	err := a.parse(e, func(x *xmlReader) error {
		root, err := x.child()
		if err != nil {
			return err
		}
		if string(root) != "Relationships" || x.home != nsLinks {
			return xmlError("its root is not <Relationships>")
		}
		err = eachChild(x, "Relationship", func() error {
			if len(list) == maxRelations {
				return xmlError("it has too many links")
			}
			if len(x.attr("Id")) > maxLink || len(x.attr("Type")) > maxLink || len(x.attr("Target")) > maxLink {
				return errLong
			}
			list = append(list, relation{x.attr("Id"), path.Base(x.attr("Type")), resolve(dir, x.attr("Target"))})
			return nil
		})
		if err != nil {
			return err
		}
		return x.drain()
	})
	return list, err
}

// resolve makes the name of an entry from a link's target.
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
func (w *workbook) readMain(x *xmlReader, rels relations) error {
	if err := openRoot(x, "workbook"); err != nil {
		return err
	}
	for {
		name, err := x.child()
		if err != nil {
			return err
		}
		switch string(name) {
		case "workbookPr":
			w.date1904 = isTrue(x.attr("date1904"))
			err = x.skip()
		case "sheets":
			err = eachChild(x, "sheet", func() error { return w.addSheet(x, rels) })
		default:
			if name == nil {
				return x.drain()
			}
			err = x.skip()
		}
		if err != nil {
			return err
		}
	}
}

// isTrue reads a boolean attribute.
func isTrue(s string) bool { return s == "1" || s == "true" || s == "on" }

func (w *workbook) addSheet(x *xmlReader, rels relations) error {
	if len(w.sheets) == maxSheets {
		return xmlError("it has too many sheets")
	}
	if len(x.attr("name")) > maxLink {
		return errLong
	}
	sheet := sheetPart{name: strings.Clone(x.attr("name")), hidden: x.attr("state") != "" && x.attr("state") != "visible"}
	id := relationID(x)
	for _, r := range rels {
		if r.id != id {
			continue
		}
		if r.kind != "worksheet" {
			return nil // a chart or a dialog holds no rows
		}
		if sheet.entry = w.archive.find(r.target); sheet.entry == nil {
			return xmlError("the sheet " + printable(sheet.name) + " is missing")
		}
		w.sheets = append(w.sheets, sheet)
		return nil
	}
	return xmlError("the sheet " + printable(sheet.name) + " is missing")
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
