// Package queue is the only door to asynq and Redis. A task is a hint that there may be
// something to do; PostgreSQL knows what. A task that is lost, runs twice, runs late or
// comes from a restored Redis changes nothing.
package queue

import (
	"encoding/json"
	"fmt"

	"github.com/hibiken/asynq"
)

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

// name is the asynq queue of the wake-up.
func (w WakeUp) name() string { return "bascule-" + string(w) }

// taskType is the asynq type of every task.
const taskType = "bascule:wake-up"

// payloadVersion is the version that Enqueue writes. Handlers accept this version and
// the one before, so old and new workers can run side by side.
const payloadVersion = 1

// payload is all our data that Redis ever holds.
type payload struct {
	Version int    `json:"v"`
	WakeUp  WakeUp `json:"wake"`
}

func encode(w WakeUp) []byte {
	b, err := json.Marshal(payload{Version: payloadVersion, WakeUp: w})
	if err != nil {
		panic(err) // cannot happen: an int and a string
	}
	return b
}

func decode(t *asynq.Task) (WakeUp, error) {
	var p payload
	if err := json.Unmarshal(t.Payload(), &p); err != nil {
		return "", fmt.Errorf("read a task: %w", err)
	}
	if p.Version != payloadVersion && p.Version != payloadVersion-1 {
		return "", fmt.Errorf("task of version %d, this worker knows %d", p.Version, payloadVersion)
	}
	return p.WakeUp, nil
}
