package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"bascule/importer/spill"
	"bascule/importer/xlsx"
	"bascule/sql"
)

// asked is a context that counts how often it is asked whether it ended, and ends
// after so many times.
type asked struct {
	context.Context
	mu    sync.Mutex
	times int
	until int // 0: never
}

func (a *asked) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.times++; a.until > 0 && a.times > a.until {
		return context.Canceled
	}
	return nil
}

// counted counts the bytes read from a file.
type counted struct {
	io.ReaderAt
	n *int
}

func (c counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	*c.n += n
	return n, err
}

// process does all that an import does with a file beside the database: it checks
// it, judges its rows and writes the verdict workbook.
func process(ctx context.Context, in io.ReaderAt, size int64) error {
	f := &File{Name: "a", forms: subscriberForms}
	defer f.Close()
	if err := f.read(&source{ReaderAt: in, ctx: ctx, size: size}); err != nil {
		return err
	}
	return f.writeVerdicts(io.Discard, false, func(yield func(sql.Verdict, error) bool) {
		for r, err := range f.Rows() {
			if !yield(sql.Verdict{Line: r.Line, Kind: "accepted"}, err) {
				return
			}
		}
	})
}

// bulky is text that deflates little and holds nothing that needs an escape.
func bulky(n int) string { return strings.ReplaceAll(mixed(n), "\"", " ") }

// hostile are files that cause much work, with the bytes of text that a reader
// handles at least.
func hostileFiles(t testing.TB) map[string]struct {
	content []byte
	work    int
} {
	long := bulky(2000)
	refs := strings.Repeat(`<row><c t="s"><v>0</v></c><c t="s"><v>0</v></c></row>`, 400)
	shared := func(rows string) parts {
		return goodParts().with(stringsPart, "<sst "+ns+"><si><t>"+long+"</t></si></sst>").with(sheetPath, rows)
	}
	merged := goodParts().with(sheetPath, strings.Replace(sheetXML(rowXML(2, "00123456", bulky(20_000))+strings.Repeat(`<row><c><v>1</v></c></row>`, 200)),
		"</sheetData>", `</sheetData><mergeCells><mergeCell ref="B2:B202"/></mergeCells>`, 1))
	lines := strings.Repeat("00123456;\""+bulky(30_000)+"\";a@b.example;1;31/12/2026\n", 40)
	compound := append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 16<<20)...)
	return map[string]struct {
		content []byte
		work    int
	}{
		"shared texts above the header": {shared(strings.Replace(sheetXML(""), headerXML, refs, 1)).zip(t), 3 << 19},
		"shared texts below the header": {shared(sheetXML(refs)).zip(t), 4 << 19},
		"shared texts of Dossiers":      {shared(sheetXML(goodRows)).withDossiers(t, rowXML(1, "numéro d'abonné", "siren", "raison sociale", "service")+refs).zip(t), 3 << 19},
		"one merged cell":               {merged.zip(t), 4 << 20},
		"CSV above the header":          {[]byte(lines), 1 << 20},
		"CSV":                           {[]byte(csvHeader + lines), 2 << 20},
		"CSV in UTF-16":                 {inUTF16([]byte(csvHeader+lines), false, true), 2 << 20},
		"CSV in Windows-1252":           {append([]byte("\xe9t\xe9\n"), csvASCII+lines...), 2 << 20},
		"no workbook":                   {compound, 16 << 20},
	}
}

// I8: the reader asks its context for every quarter of a megabyte of any file, and
// stops at the first no. The bug it would catch: a workbook of 3 KB that keeps an
// import busy for hours, deaf to Ctrl-C.
func TestHostileFilesObeyTheirContext(t *testing.T) {
	for name, file := range hostileFiles(t) {
		t.Run(name, func(t *testing.T) {
			whole := &asked{Context: context.Background()}
			if err := process(whole, bytes.NewReader(file.content), int64(len(file.content))); errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if want := file.work >> 18; whole.times < want {
				t.Errorf("the context was asked %d times for %d bytes, want %d", whole.times, file.work, want)
			}
			for _, part := range []int{10, 2, 1} { // a tenth, half, nearly all of the way
				ctx, read, before := &asked{Context: context.Background(), until: max(1, whole.times/part-1)}, 0, 0
				in := counted{bytes.NewReader(file.content), &read}
				err := process(&noted{asked: ctx, read: &read, before: &before}, in, int64(len(file.content)))
				if !errors.Is(err, context.Canceled) {
					t.Errorf("ended after 1/%d: %v", part, err)
				}
				if more := ctx.times - ctx.until; more > 8 {
					t.Errorf("ended after 1/%d: asked %d times more", part, more)
				}
				if read-before > 1<<20 {
					t.Errorf("ended after 1/%d: %d bytes read afterwards", part, read-before)
				}
			}
		})
	}
}

// The error tells that the context ended, at any place, and not that the file is
// damaged.
func TestEndedContextIsNoDamage(t *testing.T) {
	content := goodParts().zip(t)
	whole := &asked{Context: context.Background()}
	if err := process(whole, bytes.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
	for until := 1; until < whole.times; until++ {
		ctx := &asked{Context: context.Background(), until: until}
		if err := process(ctx, bytes.NewReader(content), int64(len(content))); !errors.Is(err, context.Canceled) {
			t.Errorf("ended when asked %d times of %d: %v", until, whole.times, err)
		}
	}
}

// noted notes how many bytes were read when its context ended.
type noted struct {
	*asked
	read, before *int
}

func (n *noted) Err() error {
	err := n.asked.Err()
	if err != nil && *n.before == 0 {
		*n.before = *n.read
	}
	return err
}

// I8: a text that cells repeat without end is refused long before it fills the
// disk; one that a list repeats, a hundred times its reference, is not.
func TestRepeatedTexts(t *testing.T) {
	text := bulky(30_000)
	book := goodParts().with(stringsPart, "<sst "+ns+"><si><t>"+text+"</t></si></sst>").
		with(sheetPath, sheetXML(goodRows+strings.Repeat(`<row><c t="s"><v>0</v></c><c t="s"><v>0</v></c></row>`, 10_000)))
	content := book.zip(t)
	_, err := openBytes(t, "a.xlsx", content)
	if refused, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(refused.English, "repeat long texts") || len(content) > 100_000 {
		t.Errorf("%d bytes: %v", len(content), err)
	}
	book.with(stringsPart, "<sst "+ns+"><si><t>"+text[:1500]+"</t></si></sst>")
	if f := mustOpen(t, "a.xlsx", book.zip(t)); f.Count() != 10_002 {
		t.Errorf("%d rows", f.Count())
	}
}

// I8: a text that a merged cell repeats on each row counts each time.
func TestRepeatedMergedCell(t *testing.T) {
	const rows = xlsx.MaxInflated/xlsx.MaxCellText + 1
	f := mustOpen(t, "a.xlsx", goodParts().with(sheetPath, strings.Replace(sheetXML(rowXML(2, "1", bulky(xlsx.MaxCellText))+strings.Repeat(`<row><c><v>1</v></c></row>`, rows)),
		"</sheetData>", fmt.Sprintf(`</sheetData><mergeCells><mergeCell ref="B2:B%d"/></mergeCells>`, rows+2), 1)).zip(t))
	for _, err := range f.rows.data() {
		if _, refused := errors.AsType[*FileError](err); refused {
			return
		}
	}
	t.Error("more than 2 GiB of text were read")
}

// A cell that is longer than any heading is none, and its row no header row.
func TestLongCellsAreNoHeadings(t *testing.T) {
	long := "titulaire" + strings.Repeat(" ", maxHeading)
	l := matchHeader(row{cells: []cell{{column: 1, text: "numéro d'abonné"}, {column: 2, text: long}, {column: 3, text: "verdict"}, {column: 4, text: "motif"}, {column: 5, text: "cellule" + long[9:]},
		{column: 6, text: "titulaire (" + long[9:] + ")"}}}, subscriberHeadings)
	if l.columns[fieldHolder] != 0 || l.columns[fieldNumber] != 1 || l.added != 0 {
		t.Errorf("the layout is %+v", l)
	}
}

// I8: each list of a workbook has a bound in memory, with a message of its own.
func TestListsAreBounded(t *testing.T) {
	name := strings.Repeat("n", 1025)
	for what, p := range map[string]parts{
		"sheet name":  goodParts().replace(t, mainPart, "Abonnés", name),
		"link":        goodParts().replace(t, relsPart, "worksheets/sheet1.xml", name),
		"link's kind": goodParts().replace(t, relsPart, `/worksheet"`, `/`+name+`"`),
		"link's id":   goodParts().replace(t, relsPart, `"rId1"`, `"`+name+`"`),
	} {
		if _, err := openBytes(t, "a.xlsx", p.zip(t)); err == nil || !strings.Contains(err.Error(), "too long") {
			t.Errorf("%s: %v", what, err)
		}
	}
	many := func(element string, n int) string { return strings.Repeat("<"+element+"/>", n) }
	for what, p := range map[string]parts{
		"sheets": goodParts().replace(t, mainPart, "</sheets>", strings.Repeat(`<sheet name="a" r:id="rId1"/>`, 1024)+"</sheets>"),
		"links":  goodParts().replace(t, relsPart, "</Relationships>", many("Relationship", 10_000)+"</Relationships>"),
	} {
		if _, err := openBytes(t, "a.xlsx", p.zip(t)); err == nil || !strings.Contains(err.Error(), "too many "+what) {
			t.Errorf("too many %s: %v", what, err)
		}
	}
	s := issuers{known: make(map[string]issuer)}
	for i := range maxIssuers + 10 {
		s.of(fmt.Sprint("CN=", i))
	}
	if len(s.known) != maxIssuers {
		t.Errorf("%d issuers are kept", len(s.known))
	}
	var refused *FileError
	if _, err := readCSV(&source{size: xlsx.MaxInflated + 1}, subscriberForms, nil); !errors.As(err, &refused) || !strings.Contains(refused.English, "too large") {
		t.Errorf("a text of more than 2 GiB: %v", err)
	}
}

// I8: a list that is kept in memory has a bound, and so has what is kept of a row. The
// bug it would catch: a gigabyte for a list of exclusions.
func TestKeptListsAreBounded(t *testing.T) {
	long := func(row string) []byte { return []byte(strings.Repeat(row, maxKept+1)) }
	for name, list := range map[string]struct {
		forms  []form
		header string
	}{
		"exclusions": {[]form{exclusionHeadings}, "qui;motif\n"},
		"firm":       {subscriberForms, "numéro d'abonné;adresse actuelle;nouvelle adresse;référence\n"},
	} {
		path := write(t, "a.csv", append([]byte(list.header), long("x;y\n")...))
		if _, err := openList(t.Context(), path, list.forms, nil); err == nil || !strings.Contains(err.Error(), "more than 100000 rows") {
			t.Errorf("%s: %v", name, err)
		}
	}
	list := "qui;motif\n00123456;" + strings.Repeat("é", 30_000) + "\n"
	rows, err := ReadExclusions(t.Context(), write(t, "b.csv", []byte(list)))
	if err != nil || len(rows) != 1 || len([]rune(rows[0].Reason)) != maxReason {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// I8: a temporary file that is full refuses the spreadsheet.
func TestFullSpill(t *testing.T) {
	err := refusal(fmt.Errorf("row 1: %w", spill.ErrFull))
	if refused, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(refused.English, "too large once unpacked (more than 2 GiB)") {
		t.Errorf("the error is %v", err)
	}
}

// A verdict workbook that is being written ends with its context too.
func TestVerdictsObeyTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	f, err := Open(ctx, write(t, "a.xlsx", goodParts().zip(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cut bytes.Buffer
	err = f.writeVerdicts(&cut, false, func(yield func(sql.Verdict, error) bool) {
		judged(t, f)(yield)
		cancel() // when all rows are written, and the file is not
	})
	if !errors.Is(err, context.Canceled) || cut.Len() > 0 {
		t.Errorf("%d bytes written, %v", cut.Len(), err)
	}
	for _, err := range f.Rows() {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the rows go on: %v", err)
		}
		return
	}
}
