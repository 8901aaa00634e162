package simulation

import (
	"container/heap"
	"time"
)

// An event is something that happens at an instant.
type event struct {
	at    time.Time
	order int // of those of one instant
	run   func()
}

// An agenda is a list of future events, the earliest first.
type agenda struct {
	events
	count int
}

func (a *agenda) add(at time.Time, run func()) {
	a.count++
	heap.Push(&a.events, event{at, a.count, run})
}

func (a *agenda) next() event { return heap.Pop(&a.events).(event) }

// events are a heap.
type events []event

func (e events) Len() int      { return len(e) }
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e events) Less(i, j int) bool {
	if e[i].at.Equal(e[j].at) {
		return e[i].order < e[j].order
	}
	return e[i].at.Before(e[j].at)
}

func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
