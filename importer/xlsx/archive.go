package xlsx

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"bascule/internal/text"
)

// MaxInflated is how many bytes the parts of a workbook may inflate to, all
// together.
const MaxInflated = 2 << 30

// Limits of an archive. A workbook has some tens of entries, and sheets of text deflate
// to a tenth or a twentieth. A file beyond these limits was made to do harm.
const (
	maxEntries   = 10_000
	maxDirectory = 16 << 20
	maxRatio     = 100
	ratioFrom    = 1 << 20 // inflated bytes from which the ratio counts
)

// archive is a zip file whose directory archive/zip has read. Before that, checks make
// sure that the directory is bounded, ends the file, and has the same names as the
// entries themselves.
type archive struct {
	entries []*entry
	byName  map[string]*entry // by lower-case name, as the format compares part names
	budget  *budget
}

type entry struct {
	*zip.File
	name string
	read bool // its checksum was verified
}

// Signatures and fixed sizes of the zip format (APPNOTE 4.3).
const (
	sigCentral, sigEnd           = 0x02014b50, 0x06054b50
	lenLocal, lenCentral, lenEnd = 30, 46, 22

	inZip64 = 0xffffffff // the field of zip64 has the value instead
)

func openArchive(file io.ReaderAt, size int64, b *budget) (*archive, error) {
	if err := checkDirectory(file, size); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(file, size)
	a := &archive{byName: make(map[string]*entry), budget: b}
	if err != nil {
		return nil, a.refuse("its directory cannot be read")
	}
	for _, f := range z.File {
		if err := a.add(f); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// refuse turns an error of archive/zip into a refusal, unless the context has ended.
func (a *archive) refuse(reason string) error {
	if err := a.budget.ctx.Err(); err != nil {
		return err
	}
	return badZip(reason)
}

func badZip(reason string) *Error { return &Error{Problem: BadArchive, Detail: reason} }

// checkDirectory looks at the central directory through the record that ends the file.
// A directory that needs a record of zip64 is too large for a workbook.
func checkDirectory(file io.ReaderAt, size int64) error {
	tail := make([]byte, min(size, lenEnd+1<<16))
	if err := readFull(file, tail, size-int64(len(tail))); err != nil {
		return err
	}
	end := findEnd(tail)
	if end < 0 {
		return badZip("its end is missing")
	}
	le := binary.LittleEndian
	count, length, start := int(le.Uint16(tail[end+10:])), int64(le.Uint32(tail[end+12:])), int64(le.Uint32(tail[end+16:]))
	switch {
	case count == 0:
		return &Error{Problem: EmptyArchive}
	case count > maxEntries || length > maxDirectory:
		return &Error{Problem: TooManyEntries, Detail: strconv.Itoa(maxEntries)}
	case start+length > size:
		return badZip("its directory lies outside of it")
	}
	dir := make([]byte, length)
	if err := readFull(file, dir, start); err != nil {
		return err
	}
	return checkHeaders(file, dir, count)
}

// findEnd looks for the end record backwards; its comment must end the file.
func findEnd(tail []byte) int {
	for i := len(tail) - lenEnd; i >= 0; i-- {
		if binary.LittleEndian.Uint32(tail[i:]) == sigEnd &&
			i+lenEnd+int(binary.LittleEndian.Uint16(tail[i+20:])) == len(tail) {
			return i
		}
	}
	return -1
}

// checkHeaders requires that a directory has so many headers and nothing else. It
// checks the start of each entry, unless only its field of zip64 tells it, as Apache
// POI writes. The checksum must do then.
func checkHeaders(file io.ReaderAt, dir []byte, count int) error {
	le := binary.LittleEndian
	for range count {
		if len(dir) < lenCentral || le.Uint32(dir) != sigCentral {
			return badZip("its directory is shorter than it says")
		}
		name := int(le.Uint16(dir[28:]))
		next := lenCentral + name + int(le.Uint16(dir[30:])) + int(le.Uint16(dir[32:]))
		if len(dir) < next {
			return badZip("its directory is shorter than it says")
		}
		if at := le.Uint32(dir[42:]); at != inZip64 {
			if err := checkLocal(file, int64(at), dir[lenCentral:lenCentral+name]); err != nil {
				return err
			}
		}
		dir = dir[next:]
	}
	if len(dir) != 0 {
		return badZip("its directory is longer than it says")
	}
	return nil
}

// checkLocal requires that the entry of that name begins at that place.
func checkLocal(file io.ReaderAt, at int64, name []byte) error {
	head := make([]byte, lenLocal+len(name))
	if err := readFull(file, head, at); err != nil {
		return err
	}
	le := binary.LittleEndian
	if int(le.Uint16(head[26:])) != len(name) || !bytes.Equal(head[lenLocal:], name) {
		return badZip(misplaced(string(name)))
	}
	return nil
}

func misplaced(name string) string {
	return "the entry " + text.Excerpt(name) + " is not where the directory says"
}

func (a *archive) add(f *zip.File) error {
	e := &entry{File: f, name: strings.ReplaceAll(f.Name, `\`, "/")} // some packers write folders like this
	if len(e.name) == 0 || len(e.name) > 1024 || e.name[0] == '/' || strings.Contains("/"+e.name+"/", "/../") {
		return &Error{Problem: BadName, Where: e.name}
	}
	key := strings.ToLower(e.name)
	if a.byName[key] != nil {
		return badZip("the entry " + text.Excerpt(e.name) + " stands twice")
	}
	if e.Flags&1 != 0 {
		return &Error{Problem: Encrypted}
	}
	a.byName[key] = e
	a.entries = append(a.entries, e)
	return nil
}

// find returns the entry of that name, whatever its case, or nil.
func (a *archive) find(name string) *entry { return a.byName[strings.ToLower(name)] }

// verify checks the entries that nobody has read. A file with any damaged entry is
// damaged, and no entry inflates without bound.
func (a *archive) verify() error {
	for _, e := range a.entries {
		if e.read {
			continue
		}
		r, err := a.open(e)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// open opens the contents of an entry. Only its io.EOF tells that size and checksum are
// right. The reader of archive/zip would neither tell how much it has read nor whether
// something follows.
func (a *archive) open(e *entry) (*entryReader, error) {
	raw, err := e.OpenRaw()
	if err != nil {
		return nil, a.refuse(misplaced(e.name))
	}
	packed := &io.LimitedReader{R: raw, N: int64(e.CompressedSize64)}
	r := &entryReader{entry: e, packed: packed, crc: crc32.NewIEEE(), budget: a.budget}
	r.buffer = bufio.NewReaderSize(packed, 64<<10)
	switch e.Method {
	case zip.Store:
		r.inflated = r.buffer
	case zip.Deflate:
		r.inflated = flate.NewReader(r.buffer)
	default:
		return nil, badZip(fmt.Sprintf("the entry %s uses compression method %d", text.Excerpt(e.name), e.Method))
	}
	return r, nil
}

type entryReader struct {
	entry    *entry
	packed   *io.LimitedReader // N is left of it
	buffer   *bufio.Reader
	inflated io.Reader
	out      uint64
	crc      hash.Hash32
	budget   *budget
}

func (r *entryReader) Read(p []byte) (int, error) {
	n, err := r.inflated.Read(p)
	r.out += uint64(n)
	r.crc.Write(p[:n])
	if err := r.budget.spend(n); err != nil {
		return n, err
	}
	if r.out > r.entry.UncompressedSize64 {
		return n, r.fault("it is longer than the directory says")
	}
	if r.out > ratioFrom && r.out > maxRatio*(r.entry.CompressedSize64-uint64(r.packed.N)) {
		return n, &Error{Bomb, r.entry.name, strconv.Itoa(maxRatio)}
	}
	if err == nil {
		return n, nil
	}
	if err != io.EOF {
		return n, r.fault("its compressed data cannot be read")
	}
	return n, r.verify()
}

// verify checks a whole entry and returns io.EOF if all is well.
func (r *entryReader) verify() error {
	switch {
	case r.out != r.entry.UncompressedSize64:
		return r.fault("it is shorter than the directory says")
	case r.packed.N != 0 || r.buffer.Buffered() != 0:
		return r.fault("its compressed data ends too early")
	case r.crc.Sum32() != r.entry.CRC32:
		return r.fault("its checksum is wrong")
	}
	r.entry.read = true
	return io.EOF
}

func (r *entryReader) fault(reason string) *Error { return &Error{BadPart, r.entry.name, reason} }

// readFull reads len(p) bytes at off; too few bytes are a damaged file.
func readFull(file io.ReaderAt, p []byte, off int64) error {
	n, err := file.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return badZip("it ends too early")
	}
	return err
}
