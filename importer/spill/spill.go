// Package spill keeps data that may be far larger than memory in a temporary file. It
// is first written, then read, in order or at random. The file loses its name once it
// is open, so nothing of it stays behind, whatever ends the process.
package spill

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// File is a temporary file.
type File struct {
	// Size is how many bytes were written.
	Size int64

	limit  int64
	file   *os.File
	w      *bufio.Writer
	blocks []block // read cache, one possible place for each block
}

type block struct {
	number int64 // plus one: the zero block is empty
	bytes  []byte
}

// blockSize is small because random reads may come in any order. A miss costs one read
// of this size from the page cache.
const blockSize = 4 << 10

// ErrFull says that a file would grow beyond its limit.
var ErrFull = errors.New("the temporary file is full")

// New makes a file of at most limit bytes. Random reads keep at most cache bytes of it
// in memory.
func New(limit int64, cache int) (*File, error) {
	f, err := os.CreateTemp("", "bascule-import-")
	if err != nil {
		return nil, fmt.Errorf("temporary file of the import: %w", err)
	}
	os.Remove(f.Name()) // if that fails, Close removes it
	return &File{limit: limit, file: f, w: bufio.NewWriterSize(f, 256<<10), blocks: make([]block, cache/blockSize)}, nil
}

// Write appends p, or returns ErrFull.
func (s *File) Write(p []byte) (int, error) {
	s.Size += int64(len(p))
	if s.Size > s.limit {
		return 0, ErrFull
	}
	return s.w.Write(p)
}

// Flush must be called between the last write and the first read.
func (s *File) Flush() error { return s.w.Flush() }

// Reader reads everything from the start; several readers do not disturb each other.
func (s *File) Reader() *bufio.Reader {
	return bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.Size), 256<<10)
}

// AppendAt appends the n bytes at off to dst, through the cache.
func (s *File) AppendAt(dst []byte, off int64, n int) ([]byte, error) {
	for n > 0 {
		b, err := s.block(off / blockSize)
		if err != nil {
			return dst, err
		}
		from := int(off % blockSize)
		if from >= len(b) {
			return dst, io.ErrUnexpectedEOF
		}
		part := b[from:min(from+n, len(b))]
		dst = append(dst, part...)
		off, n = off+int64(len(part)), n-len(part)
	}
	return dst, nil
}

func (s *File) block(number int64) ([]byte, error) {
	b := &s.blocks[number%int64(len(s.blocks))]
	if b.number == number+1 {
		return b.bytes, nil
	}
	if cap(b.bytes) == 0 {
		b.bytes = make([]byte, blockSize)
	}
	n, err := s.file.ReadAt(b.bytes[:blockSize], number*blockSize)
	if err != nil && err != io.EOF {
		return nil, err
	}
	b.number, b.bytes = number+1, b.bytes[:n]
	return b.bytes, nil
}

// Close deletes the file; a nil file has nothing to delete.
func (s *File) Close() error {
	if s == nil {
		return nil
	}
	os.Remove(s.file.Name())
	return s.file.Close()
}
