package sample_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bascule/importer"
	"bascule/importer/sample"
	"bascule/internal/conversion"
)

// The sample is the same for the same seed, differs for another, and shows each
// defect; large ones have one bad row in a hundred.
func TestSample(t *testing.T) {
	make := func(rows int, seed int64) []row {
		var b bytes.Buffer
		if err := sample.Write(&b, rows, seed); err != nil {
			t.Fatal(err)
		}
		return rowsOf(t, "s.xlsx", b.Bytes())
	}
	small := make(sample.Rows, 1)
	if diff := cmp.Diff(small, make(sample.Rows, 1), compareEmails); diff != "" {
		t.Error("the same seed gives other rows:", diff)
	}
	if cmp.Equal(small, make(sample.Rows, 2), compareEmails) {
		t.Error("another seed gives the same rows")
	}
	committed, err := os.ReadFile(filepath.Join("..", "testdata", "sample.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rowsOf(t, "c.xlsx", committed), small, compareEmails); diff != "" {
		t.Error("testdata/sample.xlsx is not the sample any more:", diff)
	}
	if n := rejected(small); n != 6 {
		t.Errorf("%d rows of the small sample are malformed, want 6", n)
	}
	numbers := map[string]bool{}
	large := make(2000, 3)
	for _, r := range large {
		numbers[string(r.Space.Number)] = true
	}
	if n := rejected(large); n < 10 || n > 20 || len(numbers) < 1990 {
		t.Errorf("of 2000 rows %d are malformed; %d numbers", n, len(numbers))
	}
}

func rejected(rows []row) int {
	n := 0
	for _, r := range rows {
		if r.Reason != "" {
			n++
		}
	}
	return n
}

// The sample as CSV, and without its second sheet, has the same subscribers.
func TestSampleForms(t *testing.T) {
	forms := map[string]func(io.Writer, int, int64) error{"book.xlsx": sample.Write, "list.xlsx": sample.WriteList, "list.csv": sample.WriteCSV}
	read := make(map[string][]row)
	for name, write := range forms {
		var b bytes.Buffer
		if err := write(&b, 300, 5); err != nil {
			t.Fatal(err)
		}
		read[name] = rowsOf(t, name, b.Bytes())
	}
	for i, want := range read["book.xlsx"] {
		for _, name := range []string{"list.xlsx", "list.csv"} {
			if got := read[name][i]; got.Space.Holder != want.Space.Holder || (got.Reason == "") != (want.Reason == "") {
				t.Errorf("%s, row %d: %+v, want %+v", name, i, got, want)
			}
		}
	}
}

var compareEmails = cmp.Comparer(func(a, b conversion.Email) bool { return a == b })

// row is what an import reads of one.
type row struct {
	Line         int
	Space        conversion.Space
	Cell, Reason string
}

// rowsOf is what an import reads of a file.
func rowsOf(t *testing.T, name string, content []byte) (rows []row) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := importer.Open(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r, err := range f.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row{r.Line, r.Space, r.Cell, r.Reason})
	}
	return rows
}
