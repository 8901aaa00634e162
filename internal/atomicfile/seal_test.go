package atomicfile_test

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"bascule/internal/atomicfile"
)

// archive is a zip archive of one file, written in small pieces.
func archive(content string) func(io.Writer) error {
	return func(w io.Writer) error {
		z := zip.NewWriter(pieces{w})
		f, err := z.Create("xl/workbook.xml")
		if err != nil {
			return err
		}
		if _, err := io.WriteString(f, content); err != nil {
			return err
		}
		return z.Close()
	}
}

type pieces struct{ w io.Writer }

func (p pieces) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := p.w.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

// A sealed workbook may be replaced by one of its kind until somebody changes a
// byte of it; nothing else that has the name may.
func TestSeal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.xlsx")
	sealed := func(kind string) {
		t.Helper()
		err := atomicfile.Write(path, func(w io.Writer) error { return atomicfile.Seal(w, kind, archive("x")) })
		if err != nil {
			t.Fatal(err)
		}
	}
	wantFree := func(what, kind string, want bool) {
		t.Helper()
		err := atomicfile.Free(path, kind)
		if _, taken := errors.AsType[*atomicfile.TakenError](err); err == nil != want || taken == want {
			t.Errorf("%s: %v", what, err)
		}
	}
	wantFree("no file", "report", true)
	sealed("report")
	wantFree("the same kind", "report", true)
	wantFree("another kind", "template", false)
	book, err := zip.OpenReader(path)
	if err != nil || len(book.File) != 1 {
		t.Fatalf("the sealed archive: %v", err)
	}
	book.Close()
	content := []byte(read(t, path))
	for at := range content {
		changed := append([]byte(nil), content...)
		changed[at] ^= 1
		write(t, path, changed)
		wantFree("a changed byte", "report", false)
	}
	for _, other := range [][]byte{nil, {0}, []byte("bascule report "), content[:len(content)-1], append(content, 'x'), append([]byte{0}, content...)} {
		write(t, path, other)
		wantFree("another file", "report", false)
		wantFree("another file, for no kind of ours", "x", false)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A text cannot be sealed: the seal would be part of it.
func TestSealOfNoArchive(t *testing.T) {
	for _, content := range []string{"", "x", "text"} {
		if err := atomicfile.Seal(io.Discard, "report", text(content)); err == nil {
			t.Errorf("%q was sealed", content)
		}
	}
	broken := errors.New("broken")
	if err := atomicfile.Seal(io.Discard, "report", func(io.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
}
