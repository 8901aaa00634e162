package xlsx

import "io"

// readAhead reads in a goroutine of its own. So inflating one piece and parsing the one
// before use two cores.
type readAhead struct {
	full, free chan []byte
	stopped    chan struct{} // tells the goroutine to end
	ended      chan struct{} // the goroutine has ended
	err        error         // why it ended; to be read after full is closed

	piece, rest []byte
}

const (
	aheadPieces = 4
	aheadSize   = 128 << 10
)

func newReadAhead(src io.Reader) *readAhead {
	r := &readAhead{full: make(chan []byte, aheadPieces), free: make(chan []byte, aheadPieces),
		stopped: make(chan struct{}), ended: make(chan struct{})}
	for range aheadPieces {
		r.free <- make([]byte, aheadSize)
	}
	go r.run(src)
	return r
}

func (r *readAhead) run(src io.Reader) {
	defer close(r.ended)
	defer close(r.full)
	for {
		var p []byte
		select {
		case <-r.stopped:
			return
		case p = <-r.free:
		}
		n, err := io.ReadFull(src, p)
		if n > 0 {
			r.full <- p[:n] // the channel has room for every piece
		}
		if err != nil {
			if r.err = err; err == io.ErrUnexpectedEOF {
				r.err = io.EOF // the last piece is not full
			}
			return
		}
	}
}

func (r *readAhead) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.piece != nil {
			r.free <- r.piece[:aheadSize]
			r.piece = nil
		}
		piece, ok := <-r.full
		if !ok {
			return 0, r.err
		}
		r.piece, r.rest = piece, piece
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// stop ends the goroutine and waits for it: nothing touches the source afterwards.
func (r *readAhead) stop() {
	close(r.stopped)
	<-r.ended
}
