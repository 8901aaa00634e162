package sql

import (
	"sync"
	"time"
)

// A Front is how far the slots of a process have come in a lane, in the order in which
// mails are due. The mails behind it are being handed over, so no slot looks at them
// again. Some are due behind it all the same: those of a dead worker, those of a long
// transaction, and those whose reason to wait has just ended. So reset it from time to
// time. It is safe for concurrent use. A new Front lies before all that is due.
type Front struct {
	mu sync.Mutex
	at time.Time
	id int64
}

// Reset lets the next slot look at all that is due. It tells whether the front had
// advanced.
func (f *Front) Reset() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.id != 0
	f.at, f.id = time.Time{}, 0
	return was
}

func (f *Front) place() (at time.Time, id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at, f.id
}

func (f *Front) pass(last obligation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if last.DueAt.After(f.at) || last.DueAt.Equal(f.at) && last.ID > f.id {
		f.at, f.id = last.DueAt, last.ID
	}
}
