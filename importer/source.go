package importer

import (
	"context"
	"io"
)

// source is the file that is read. It ends with its context, and tells how much of it
// was read.
type source struct {
	io.ReaderAt
	ctx      context.Context
	size     int64
	progress func(done, total int64) // may be nil

	done, next int64 // bytes that are read, and at which it is told next
	times      int64 // how often the file is read from one end to the other
}

// progressStep is how often progress is told, in bytes.
const progressStep = 4 << 20

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.ReaderAt.ReadAt(p, off)
	if s.done += int64(n); s.done >= s.next && s.progress != nil {
		s.next = s.done + progressStep
		total := s.times * s.size
		s.progress(min(s.done, total), total)
	}
	return n, err
}

// from reads the file from an offset to its end.
func (s *source) from(off int64) io.Reader { return io.NewSectionReader(s, off, s.size-off) }
