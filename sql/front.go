package sql

import (
	"sync"
	"time"
)

// A Front is how far those who take mails of a lane have come, in the order in which
// they are due. What is behind is being handed over, so nobody need look at it
// again; but a mail whose worker has died becomes due there, and one that was added
// by a long transaction: Reset it from time to time. It is safe for concurrent use.
type Front struct {
	mu sync.Mutex
	at time.Time
	id int64
}

// Reset lets the next one look at all that is due. It tells whether nobody would have.
func (f *Front) Reset() bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.id != 0
	f.at, f.id = time.Time{}, 0
	return was
}

func (f *Front) place() (at time.Time, id int64) {
	if f == nil {
		return time.Time{}, 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at, f.id
}

func (f *Front) pass(last obligation) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if last.DueAt.After(f.at) || last.DueAt.Equal(f.at) && last.ID > f.id {
		f.at, f.id = last.DueAt, last.ID
	}
}
