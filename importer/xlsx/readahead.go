package xlsx

import (
	"bufio"
	"io"
	"sync"
)

// aheadSize is how many bytes are read ahead.
const aheadSize = 64 << 10

// readAhead reads src in a goroutine of its own. So inflating one piece and parsing the
// one before use two cores. After stop nothing touches src.
func readAhead(src io.Reader) (ahead io.Reader, stop func()) {
	out, in := io.Pipe()
	var reading sync.WaitGroup
	reading.Go(func() {
		piece := bufio.NewWriterSize(in, aheadSize)
		_, err := piece.ReadFrom(src)
		piece.Flush()
		in.CloseWithError(err)
	})
	return out, func() {
		out.Close()
		reading.Wait()
	}
}
