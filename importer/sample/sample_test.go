package sample_test

import (
	"bytes"
	"context"
	"errors"
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

// The sample as CSV has the same subscribers.
func TestSampleCSV(t *testing.T) {
	var book, text bytes.Buffer
	if err := errors.Join(sample.Write(&book, 300, 5), sample.WriteCSV(&text, 300, 5)); err != nil {
		t.Fatal(err)
	}
	a, b := rowsOf(t, "a.xlsx", book.Bytes()), rowsOf(t, "b.csv", text.Bytes())
	for i := range a {
		if a[i].Space.Holder != b[i].Space.Holder || (a[i].Reason == "") != (b[i].Reason == "") {
			t.Errorf("row %d: %+v and %+v", i, a[i], b[i])
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
