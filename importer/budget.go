package importer

import (
	"context"
	"io"

	"bascule/importer/xlsx"
)

// budget bounds the text that one pass over the rows of a file handles, and
// notices the end of its context.
type budget struct {
	ctx   context.Context
	spent int
}

func (b *budget) spend(n int) error {
	if b.spent += n; b.spent > xlsx.MaxInflated {
		return tooLarge()
	}
	return b.ctx.Err()
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}

// contextFile ends with its context.
type contextFile struct {
	ctx context.Context
	io.ReaderAt
}

func (c contextFile) ReadAt(p []byte, off int64) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.ReaderAt.ReadAt(p, off)
}

// contextWriter ends with its context.
type contextWriter struct {
	ctx context.Context
	io.Writer
}

func (c contextWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Writer.Write(p)
}
