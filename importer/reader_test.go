package importer

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"bascule/importer/sample"
)

// FuzzReader: the reader refuses the bytes or reads as many rows as it announces. It
// never panics (I8).
func FuzzReader(f *testing.F) {
	f.Add(goodParts().zip(f))
	f.Add([]byte(csvHeader + goodLine))
	f.Add([]byte("\xff\xfe" + string(utf16le(csvASCII))))
	for _, name := range []string{"sample.xlsx", "libreoffice.xlsx"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := openBytes(t, "fuzz", content)
		if err != nil {
			if _, ok := errors.AsType[*FileError](err); !ok {
				t.Errorf("not a refusal: %v", err)
			}
			return
		}
		rowsOf(t, file)
		verdictsOf(t, file)
	})
}

// FuzzSheet feeds sheets to the reader inside an archive that is sound.
func FuzzSheet(f *testing.F) {
	f.Add(sheetXML(goodRows))
	f.Add(sheetXML(goodRows + rowXML(4, `<c r="A4" t="s"><v>1</v></c>`, `<c s="1"><f>A1</f><v>1e3</v></c>`)))
	f.Add(strings.Replace(sheetXML(goodRows), "</sheetData>", `</sheetData><mergeCells><mergeCell ref="A2:B3"/></mergeCells>`, 1))
	f.Fuzz(func(t *testing.T, sheet string) {
		file, err := openBytes(t, "fuzz.xlsx", goodParts().with(sheetPath, sheet).zip(t))
		if err == nil {
			rowsOf(t, file)
		}
	})
}

// I8: memory does not grow with the file: neither with its rows nor with its
// shared texts, here 28 MB asked for in any order.
func TestMemoryIsBounded(t *testing.T) {
	const rows, length, limit = 14_000, 2000, 24 << 20
	words := mixed(200_000)
	text := func(i int) string {
		from := i * 40_009 % (len(words) - length)
		return words[from : from+length]
	}
	var table, sheet strings.Builder
	for i := range rows {
		fmt.Fprintf(&table, "<si><t>%s</t></si>", text(i))
		fmt.Fprintf(&sheet, `<row><c t="inlineStr"><is><t>AB%06d</t></is></c><c t="s"><v>%d</v></c></row>`, i, (i*7919)%rows)
	}
	content := goodParts().with(stringsPart, "<sst "+ns+">"+table.String()+"</sst>").with(sheetPath, sheetXML(sheet.String())).zip(t)
	path := write(t, "a.xlsx", content)
	table.Reset()
	sheet.Reset()
	var peak uint64
	watch := func(done, total int64) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
	}
	content = nil
	watch(0, 0)
	base := peak
	f, err := Open(context.Background(), path, watch)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for r, err := range f.rows.data() {
		if err != nil {
			t.Fatal(err)
		}
		if r.at(2).text != text(n*7919%rows) {
			t.Fatalf("row %d has another text", n)
		}
		n++
	}
	if n != rows || f.Count() != rows {
		t.Errorf("%d rows of %d, want %d", n, f.Count(), rows)
	}
	watch(0, 0)
	if grown := int64(peak) - int64(base); grown > limit {
		t.Errorf("%d bytes more at the peak, want at most %d", grown, limit)
	}
}

// Temporary files are gone when a file is closed, and when it is refused.
func TestNoTemporaryFileStays(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	good := filepath.Join(t.TempDir(), "a.xlsx")
	bad := filepath.Join(t.TempDir(), "b.xlsx")
	cut := goodParts().replace(t, sheetPath, "</worksheet>", "")
	if err := errors.Join(os.WriteFile(good, goodParts().zip(t), 0o600), os.WriteFile(bad, cut.zip(t), 0o600)); err != nil {
		t.Fatal(err)
	}
	f, err := Open(context.Background(), good, nil)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 { // whatever ends the process
		t.Errorf("files with a name: %v %v", left, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(context.Background(), bad, nil); err == nil {
		t.Error("a cut-off file was taken")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// A folder and a pipe are refused, each with what to do. Nobody waits for somebody to write
// into the pipe.
func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.csv")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir: "is a folder", pipe: "is a pipe"} {
		if _, err := Open(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), path+" "+want) {
			t.Errorf("%s: %v, want that it %s", path, err, want)
		}
	}
}

// I8: a sheet that is not kept is closed at once, the others with their file.
func TestNoTemporaryFileStaysOpen(t *testing.T) {
	book := goodParts().withDossiers(t, rowXML(1, "numéro d'abonné", "siren", "raison sociale")+rowXML(2, "00123456", "123456789", "Garage")).
		replace(t, mainPart, "<sheets>", `<sheets><sheet name="Notes" sheetId="3" r:id="rId5"/>`).
		replace(t, relsPart, "</Relationships>", `<Relationship Id="rId5" Type="`+relURL+`/worksheet" Target="worksheets/sheet3.xml"/></Relationships>`).
		with("xl/worksheets/sheet3.xml", `<worksheet `+ns+`><sheetData>`+rowXML(1, "note")+`</sheetData></worksheet>`)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	f, err := Open(context.Background(), write(t, "a.xlsx", book.zip(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := openIn(t, dir); n != 2 {
		t.Errorf("%d temporary files for the rows of two sheets", n)
	}
	if err := f.Close(); err != nil || openIn(t, dir) != 0 {
		t.Errorf("%d temporary files stay open (%v)", openIn(t, dir), err)
	}
}

// openIn counts the files of a folder that this process has open.
func openIn(t *testing.T, dir string) (n int) {
	t.Helper()
	const folder = "/proc/self/fd"
	open, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range open {
		if name, _ := os.Readlink(filepath.Join(folder, fd.Name())); strings.HasPrefix(name, dir+"/") {
			n++
		}
	}
	return n
}

// Nothing goes on reading a file that was refused half-way.
func TestRefusalStopsReadingAhead(t *testing.T) {
	running := goleak.IgnoreCurrent()
	bad := goodParts().with(sheetPath, sheetXML(rowXML(2, `<c r="A2"><v>abc</v></c>`)+strings.Repeat(mixed(100), 20_000)))
	if _, err := openBytes(t, "a.xlsx", bad.zip(t)); err == nil {
		t.Error("a damaged file was taken")
	}
	goleak.VerifyNone(t, running)
}

// A path that is no file is an error of the caller, not a refusal.
func TestOpenNeedsAFile(t *testing.T) {
	if _, err := Open(context.Background(), filepath.Join(t.TempDir(), "none.xlsx"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
	for _, path := range []string{t.TempDir(), os.DevNull} {
		_, err := Open(context.Background(), path, nil)
		if _, refused := errors.AsType[*FileError](err); err == nil || refused {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// The rows may be read again, and two readers do not disturb each other.
func TestRowsMayBeReadTwice(t *testing.T) {
	f := mustOpen(t, "a.xlsx", goodParts().zip(t))
	first := rowsOf(t, f)
	for range f.Rows() {
		if diff := cmp.Diff(first, rowsOf(t, f), compareEmails); diff != "" {
			t.Fatal(diff)
		}
	}
}

// BenchmarkReader reads a workbook of a million rows and eight columns.
func BenchmarkReader(b *testing.B) {
	const rows = 1_000_000
	path := filepath.Join(b.TempDir(), "a.xlsx")
	if err := os.WriteFile(path, benchmarkBook(b, rows), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f, err := Open(context.Background(), path, nil)
		if err != nil {
			b.Fatal(err)
		}
		if f.Count() != rows {
			b.Fatalf("%d rows", f.Count())
		}
		f.Close()
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func benchmarkBook(b *testing.B, rows int) []byte {
	b.Helper()
	var text bytes.Buffer
	if err := sample.WriteCSV(&text, rows, 1); err != nil {
		b.Fatal(err)
	}
	list := csv.NewReader(&text)
	list.Comma = ';'
	var sheet strings.Builder
	for i := -1; ; i++ {
		r, err := list.Read()
		if err == io.EOF {
			return goodParts().with(sheetPath, sheetXML(sheet.String())).zip(b)
		}
		if err != nil {
			b.Fatal(err)
		}
		if i < 0 {
			continue // the header
		}
		sheet.WriteString(rowXML(i+2, r[0], r[1], r[2], r[3], fmt.Sprintf(`<c r="E%d" s="1"><v>%d</v></c>`, i+2, 46_400+i%200),
			fmt.Sprintf(`<c r="F%d"><v>%d</v></c>`, i+2, i), fmt.Sprintf(`<c r="G%d" t="b"><v>1</v></c>`, i+2), "note"))
	}
}

// What is done grows up to a total that never changes: a bar that shows it moves once from
// one end to the other.
func TestProgress(t *testing.T) {
	picture := make([]byte, 3*progressStep)
	rand.NewChaCha8([32]byte{}).Read(picture) // deflates to no less
	for name, content := range map[string][]byte{
		"a.xlsx": goodParts().with("xl/media/a.bin", string(picture)).zip(t),
		"a.csv":  []byte(csvHeader + strings.Repeat(goodLine, progressStep/len(goodLine))),
	} {
		var last, all, steps int64
		f, err := Open(t.Context(), write(t, name, content), func(done, total int64) {
			steps++
			if done < last || done > total || all != 0 && total != all {
				t.Errorf("%s: %d of %d after %d of %d", name, done, total, last, all)
			}
			last, all = done, total
		})
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if steps < 3 || last < all/2 {
			t.Errorf("%s: it ends at %d of %d, after %d steps", name, last, all, steps)
		}
	}
}
