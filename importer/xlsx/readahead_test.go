package xlsx

import (
	"testing"
	"testing/synctest"
)

// After stop the caller may close the source: nobody reads it any more.
func TestReadAheadWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &slow{release: make(chan struct{})}
		stopped := false
		_, stop := readAhead(src)
		synctest.Wait() // it reads
		go func() { stop(); stopped = true }()
		synctest.Wait()
		if stopped {
			t.Error("stopped while the source is read")
		}
		close(src.release)
		synctest.Wait()
		if !stopped {
			t.Error("not stopped although nobody reads")
		}
	})
}

// slow is a source whose reads take until release.
type slow struct{ release chan struct{} }

func (s *slow) Read(p []byte) (int, error) {
	<-s.release
	return len(p), nil
}
