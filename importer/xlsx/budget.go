package xlsx

import (
	"context"
	"strconv"
	"sync/atomic"
)

// budget bounds the work that one file causes: the bytes that its parts inflate to, and
// the texts that its cells repeat. It notices the end of its context wherever work is
// done. Two goroutines spend from it.
type budget struct {
	ctx   context.Context
	spent atomic.Int64 // bytes inflated, and of texts referred to

	referred int64 // of the goroutine that reads cells
}

// spend accounts for n bytes of work. It is called at least once for some tens of
// kilobytes, so that a context that ended is noticed within milliseconds.
func (b *budget) spend(n int) error {
	if b.spent.Add(int64(n)) > MaxInflated {
		return ErrTooLarge
	}
	return b.ctx.Err()
}

// refer accounts for n bytes of a text that a cell refers to. The smallest file can
// refer to a long text for ever. Cells of real files refer to some tens of bytes.
func (b *budget) refer(n int) error {
	before := b.spent.Load() - b.referred
	if b.referred += int64(n); b.referred > maxReferred && b.referred > maxRatio*before {
		return &Error{Problem: Repetition, Detail: strconv.Itoa(maxRatio)}
	}
	return b.spend(n)
}

// maxReferred is the size from which the ratio of texts referred to counts.
const maxReferred = 16 << 20
