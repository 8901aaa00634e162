package xlsx

import (
	"bufio"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
)

// MaxInflated is how many bytes the parts of a workbook may inflate to, all
// together.
const MaxInflated = 2 << 30

// Limits of an archive. A workbook has some tens of entries, and sheets of text
// deflate to a tenth or a twentieth; what goes beyond was made to hurt.
const (
	maxEntries   = 10_000
	maxDirectory = 16 << 20
	maxRatio     = 100
	ratioFrom    = 1 << 20 // inflated bytes from which the ratio counts
)

// archive is a zip file whose directory was read strictly: archive/zip reads a
// directory of any length into memory and takes duplicates as they come.
type archive struct {
	file    io.ReaderAt
	entries []*entry
	byName  map[string]*entry // by lower-case name, as the format compares part names
	budget  *budget
}

type entry struct {
	name         string
	method, bits uint16
	crc          uint32
	packed, size int64
	offset       int64 // of the local header
	read         bool  // its checksum was verified
}

// Signatures and fixed sizes of the zip format (APPNOTE 4.3).
const (
	sigLocal, sigCentral, sigEnd, sigEnd64, sigLocator64 = 0x04034b50, 0x02014b50, 0x06054b50, 0x06064b50, 0x07064b50

	lenLocal, lenCentral, lenEnd, lenEnd64, lenLocator64 = 30, 46, 22, 56, 20
)

func openArchive(file io.ReaderAt, size int64, b *budget) (*archive, error) {
	dir, count, err := readDirectory(file, size)
	if err != nil {
		return nil, err
	}
	a := &archive{file: file, byName: make(map[string]*entry), budget: b}
	for range count {
		var e *entry
		if e, dir, err = parseCentral(dir); err != nil {
			return nil, err
		}
		if err := a.add(e); err != nil {
			return nil, err
		}
	}
	if len(dir) != 0 {
		return nil, badZip("its directory is longer than it says")
	}
	return a, nil
}

func badZip(reason string) *Error { return &Error{Problem: BadArchive, Detail: reason} }

// readDirectory finds the central directory through the record that ends the file.
func readDirectory(file io.ReaderAt, size int64) (dir []byte, count int, err error) {
	tail := make([]byte, min(size, lenEnd+1<<16))
	if err := readFull(file, tail, size-int64(len(tail))); err != nil {
		return nil, 0, err
	}
	end := findEnd(tail)
	if end < 0 {
		return nil, 0, badZip("its end is missing")
	}
	le := binary.LittleEndian
	rec := tail[end:]
	entries, length, start := uint64(le.Uint16(rec[10:])), uint64(le.Uint32(rec[12:])), uint64(le.Uint32(rec[16:]))
	if entries == 0xffff || length == 0xffffffff || start == 0xffffffff {
		if entries, length, start, err = readEnd64(file, size-int64(len(tail)-end)); err != nil {
			return nil, 0, err
		}
	}
	switch {
	case entries == 0:
		return nil, 0, &Error{Problem: EmptyArchive}
	case entries > maxEntries || length > maxDirectory:
		return nil, 0, &Error{Problem: TooManyEntries, Detail: strconv.Itoa(maxEntries)}
	case start > uint64(size) || length > uint64(size)-start:
		return nil, 0, badZip("its directory lies outside of it")
	}
	dir = make([]byte, length)
	return dir, int(entries), readFull(file, dir, int64(start))
}

// findEnd looks for the end record from behind; its comment must end the file.
func findEnd(tail []byte) int {
	for i := len(tail) - lenEnd; i >= 0; i-- {
		if binary.LittleEndian.Uint32(tail[i:]) == sigEnd &&
			i+lenEnd+int(binary.LittleEndian.Uint16(tail[i+20:])) == len(tail) {
			return i
		}
	}
	return -1
}

func readEnd64(file io.ReaderAt, end int64) (entries, length, start uint64, err error) {
	le := binary.LittleEndian
	locator := make([]byte, lenLocator64)
	if end < lenLocator64+lenEnd64 {
		return 0, 0, 0, badZip("its zip64 record is missing")
	}
	if err := readFull(file, locator, end-lenLocator64); err != nil {
		return 0, 0, 0, err
	}
	at := le.Uint64(locator[8:])
	if le.Uint32(locator) != sigLocator64 || at > uint64(end-lenLocator64-lenEnd64) {
		return 0, 0, 0, badZip("its zip64 record is missing")
	}
	rec := make([]byte, lenEnd64)
	if err := readFull(file, rec, int64(at)); err != nil {
		return 0, 0, 0, err
	}
	if le.Uint32(rec) != sigEnd64 {
		return 0, 0, 0, badZip("its zip64 record is false")
	}
	return le.Uint64(rec[32:]), le.Uint64(rec[40:]), le.Uint64(rec[48:]), nil
}

// parseCentral reads one header of the directory and returns what follows it.
func parseCentral(dir []byte) (*entry, []byte, error) {
	le := binary.LittleEndian
	if len(dir) < lenCentral || le.Uint32(dir) != sigCentral {
		return nil, nil, badZip("its directory is shorter than it says")
	}
	name, extra, comment := int(le.Uint16(dir[28:])), int(le.Uint16(dir[30:])), int(le.Uint16(dir[32:]))
	if len(dir) < lenCentral+name+extra+comment {
		return nil, nil, badZip("its directory is shorter than it says")
	}
	e := &entry{
		name: string(dir[lenCentral : lenCentral+name]),
		bits: le.Uint16(dir[8:]), method: le.Uint16(dir[10:]), crc: le.Uint32(dir[16:]),
		packed: int64(le.Uint32(dir[20:])), size: int64(le.Uint32(dir[24:])), offset: int64(le.Uint32(dir[42:])),
	}
	if err := e.apply64(dir[lenCentral+name : lenCentral+name+extra]); err != nil {
		return nil, nil, err
	}
	return e, dir[lenCentral+name+extra+comment:], nil
}

// apply64 takes the sizes that do not fit 32 bits from the zip64 extra field.
func (e *entry) apply64(extra []byte) error {
	le := binary.LittleEndian
	var field []byte
	for len(extra) >= 4 {
		id, n := le.Uint16(extra), int(le.Uint16(extra[2:]))
		if len(extra) < 4+n {
			break
		}
		if id == 1 {
			field = extra[4 : 4+n]
		}
		extra = extra[4+n:]
	}
	for _, value := range []*int64{&e.size, &e.packed, &e.offset} {
		if *value != 0xffffffff {
			continue
		}
		if len(field) < 8 || le.Uint64(field) > 1<<62 {
			return badZip("its zip64 sizes are false")
		}
		*value, field = int64(le.Uint64(field)), field[8:]
	}
	return nil
}

func (a *archive) add(e *entry) error {
	e.name = strings.ReplaceAll(e.name, `\`, "/") // some packers write folders so
	if len(e.name) == 0 || len(e.name) > 1024 || e.name[0] == '/' || strings.Contains("/"+e.name+"/", "/../") {
		return &Error{Problem: BadName, Where: e.name}
	}
	key := strings.ToLower(e.name)
	if a.byName[key] != nil {
		return badZip("the entry " + Printable(e.name) + " stands twice")
	}
	if e.bits&1 != 0 {
		return &Error{Problem: Encrypted}
	}
	a.byName[key] = e
	a.entries = append(a.entries, e)
	a.budget.total += e.size
	return nil
}

// find returns the entry of that name, whatever its case, or nil.
func (a *archive) find(name string) *entry { return a.byName[strings.ToLower(name)] }

// verify checks the entries that nobody read: a file damaged anywhere is damaged,
// and no entry inflates without bound.
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

// open gives the entry's contents. Only at its io.EOF are size and checksum
// known to be right.
func (a *archive) open(e *entry) (*entryReader, error) {
	le := binary.LittleEndian
	head := make([]byte, lenLocal+len(e.name))
	if err := readFull(a.file, head, e.offset); err != nil {
		return nil, err
	}
	name := strings.ReplaceAll(string(head[lenLocal:]), `\`, "/")
	if le.Uint32(head) != sigLocal || int(le.Uint16(head[26:])) != len(e.name) || name != e.name {
		return nil, badZip("the entry " + Printable(e.name) + " is not where the directory says")
	}
	start := e.offset + int64(len(head)) + int64(le.Uint16(head[28:]))
	packed := &countReader{r: io.NewSectionReader(a.file, start, e.packed)}
	r := &entryReader{entry: e, packed: packed, crc: crc32.NewIEEE(), budget: a.budget}
	r.buffer = bufio.NewReaderSize(packed, 64<<10)
	switch e.method {
	case 0:
		r.inflated = r.buffer
	case 8:
		r.inflated = flate.NewReader(r.buffer)
	default:
		return nil, badZip(fmt.Sprintf("the entry %s uses compression method %d", Printable(e.name), e.method))
	}
	return r, nil
}

type entryReader struct {
	entry    *entry
	packed   *countReader
	buffer   *bufio.Reader
	inflated io.Reader
	out      int64
	crc      hash.Hash32
	budget   *budget
}

func (r *entryReader) Read(p []byte) (int, error) {
	n, err := r.inflated.Read(p)
	r.out += int64(n)
	r.crc.Write(p[:n])
	if err := r.budget.advance(n); err != nil {
		return n, err
	}
	if r.out > r.entry.size {
		return n, r.fault("it is longer than the directory says")
	}
	if r.out > ratioFrom && r.out > maxRatio*r.packed.n {
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
	case r.out != r.entry.size:
		return r.fault("it is shorter than the directory says")
	case r.packed.n != r.entry.packed || r.buffer.Buffered() != 0:
		return r.fault("its compressed data ends too early")
	case r.crc.Sum32() != r.entry.crc:
		return r.fault("its checksum is wrong")
	}
	r.entry.read = true
	return io.EOF
}

func (r *entryReader) fault(reason string) *Error { return &Error{BadPart, r.entry.name, reason} }

type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

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
