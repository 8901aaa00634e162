// Package queue is the only door to asynq and Redis. A task is a hint that there may be
// something to do; PostgreSQL knows what. A task that is lost, runs twice, runs late or
// comes from a restored Redis changes nothing.
package queue

// A WakeUp wakes one worker for one kind of work. The wake-ups are the whole vocabulary
// of background work.
type WakeUp string

// The wake-ups. WakeInteractive has a queue and a server of its own, so that no
// batch delays somebody who looks at a screen.
const (
	WakeInteractive WakeUp = "interactive" // mails that somebody waits for
	WakeBulk        WakeUp = "bulk"        // mails of batches
	WakeRecap       WakeUp = "recap"       // recaps to render
	WakeExpiry      WakeUp = "expiry"      // requests past their deadline
)

// WakeUps lists every wake-up.
func WakeUps() []WakeUp { return []WakeUp{WakeInteractive, WakeBulk, WakeRecap, WakeExpiry} }

// name is the asynq queue of the wake-up, and the type of its tasks: they have no payload,
// so our data in Redis are these names.
func (w WakeUp) name() string { return prefix + string(w) }

const prefix = "bascule-"
