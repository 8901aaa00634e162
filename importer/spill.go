package importer

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

// spill is a temporary file that is first written, then read: what a workbook
// holds may be far larger than memory. The file has no name once it is open,
// so nothing of it stays behind whatever ends the process.
type spill struct {
	file *os.File
	w    *bufio.Writer
	size int64

	blocks []block // read cache, one possible place for each block
}

type block struct {
	number int64 // plus one: the zero block is empty
	bytes  []byte
}

// blockSize is small because strings are read in the order of the cells, which
// may be any order; a miss costs one read of this much from the page cache.
const blockSize = 4 << 10

// newSpill makes a spill that caches at most cache bytes when read at random.
func newSpill(cache int) (*spill, error) {
	f, err := os.CreateTemp("", "bascule-import-")
	if err != nil {
		return nil, fmt.Errorf("temporary file of the import: %w", err)
	}
	os.Remove(f.Name()) // where that is impossible, Close does it
	return &spill{file: f, w: bufio.NewWriterSize(f, 256<<10), blocks: make([]block, cache/blockSize)}, nil
}

// write appends p. It refuses to grow beyond what a whole file may inflate to.
func (s *spill) write(p []byte) error {
	s.size += int64(len(p))
	if s.size > maxInflated {
		return tooLarge()
	}
	_, err := s.w.Write(p)
	return err
}

// flush must come between the last write and the first read.
func (s *spill) flush() error { return s.w.Flush() }

// reader reads everything from the start; several readers do not disturb each other.
func (s *spill) reader() *bufio.Reader {
	return bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.size), 256<<10)
}

// appendAt appends the n bytes at off to dst, through the cache.
func (s *spill) appendAt(dst []byte, off int64, n int) ([]byte, error) {
	for n > 0 {
		b, err := s.block(off / blockSize)
		if err != nil {
			return dst, err
		}
		from := int(off % blockSize)
		if from >= len(b) {
			return dst, io.ErrUnexpectedEOF
		}
		take := min(n, len(b)-from)
		dst = append(dst, b[from:from+take]...)
		off, n = off+int64(take), n-take
	}
	return dst, nil
}

func (s *spill) block(number int64) ([]byte, error) {
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

func (s *spill) close() error {
	if s == nil {
		return nil
	}
	os.Remove(s.file.Name())
	return s.file.Close()
}
