package atomicfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"strings"
)

// A seal is the comment at the end of a zip archive, such as a workbook. It holds the
// kind of the workbook, and the SHA-256 of all bytes before the length of the comment.
// A program that saves the workbook again breaks it.
const sealMark = "bascule "

func sealText(kind string, sum []byte) []byte {
	return fmt.Appendf(nil, "%s%s %x", sealMark, kind, sum)
}

// WriteSealed writes a file of a kind, as Write does, and seals it.
func WriteSealed(path, kind string, write func(io.Writer) error) error {
	return Write(path, func(w io.Writer) error { return Seal(w, kind, write) })
}

// Seal makes write write a zip archive without a comment to w, and seals it.
func Seal(w io.Writer, kind string, write func(io.Writer) error) error {
	s := &sealer{w: w, sum: sha256.New()}
	if err := write(s); err != nil {
		return err
	}
	if !bytes.Equal(s.last, []byte{0, 0}) {
		return errors.New("seal: this is no zip archive without a comment")
	}
	text := sealText(kind, s.sum.Sum(nil))
	_, err := w.Write(append(binary.LittleEndian.AppendUint16(nil, uint16(len(text))), text...))
	return err
}

// sealer passes on all but the last two bytes, which are the comment's length.
type sealer struct {
	w    io.Writer
	sum  hash.Hash
	last []byte
}

func (s *sealer) Write(p []byte) (int, error) {
	all := append(s.last, p...)
	keep := max(0, len(all)-2)
	s.sum.Write(all[:keep])
	if _, err := s.w.Write(all[:keep]); err != nil {
		return 0, err
	}
	s.last = bytes.Clone(all[keep:])
	return len(p), nil
}

// A TakenError says that a name has a file which must not be replaced unasked.
type TakenError struct {
	Path string
	Kind string // of the sealed workbook; "" if the file is none or was changed
}

func (e *TakenError) Error() string {
	if e.Kind != "" {
		return fmt.Sprintf("%s holds another workbook of bascule's (%s)", e.Path, e.Kind)
	}
	return fmt.Sprintf("%s exists already, and is not as bascule wrote it", e.Path)
}

// Free returns a *TakenError unless the name is free, or has a workbook of that kind
// with an unbroken seal.
func Free(path, kind string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // or a link without a target, which Create refuses
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err // Create refuses it
	}
	got, err := sealOf(f, info.Size())
	if err != nil {
		return err
	}
	if got != kind {
		return &TakenError{path, got}
	}
	return nil
}

// maxSeal is more than a seal is long.
const maxSeal = 128

// sealOf reads the kind of the seal of a file; "" if there is no unbroken seal.
func sealOf(f io.ReaderAt, size int64) (kind string, err error) {
	tail := make([]byte, min(size, maxSeal))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return "", err
	}
	at := bytes.LastIndex(tail, []byte(sealMark))
	if at < 2 {
		return "", nil
	}
	text := tail[at:]
	kind, _, _ = strings.Cut(string(text[len(sealMark):]), " ")
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, size-int64(len(text))-2)); err != nil {
		return "", err
	}
	if !bytes.Equal(text, sealText(kind, sum.Sum(nil))) || int(binary.LittleEndian.Uint16(tail[at-2:])) != len(text) {
		return "", nil
	}
	return kind, nil
}
