package queue

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

// A Place is where this process stands among all those that work: Rank from 0
// to Of-1. Processes agree on it soon after one has come or gone; nothing may
// depend on their agreeing.
type Place struct{ Rank, Of int }

// alone is the place of a process that knows of no other.
var alone = Place{Rank: 0, Of: 1}

// placeFor is how long a place is believed: asynq's servers tell of themselves
// every 5 s, and are forgotten 10 s after they died.
const placeFor = 2 * time.Second

// lastPlace is the place that was looked up last.
type lastPlace struct {
	mu    sync.Mutex
	place Place
	until time.Time
}

// Place tells where this process stands. Where Redis does not tell, it stands
// alone.
func (c *Client) Place() Place {
	c.last.mu.Lock()
	defer c.last.mu.Unlock()
	if now := time.Now(); now.After(c.last.until) {
		c.last.place, c.last.until = c.lookAround(), now.Add(placeFor)
	}
	return c.last.place
}

func (c *Client) lookAround() Place {
	servers, err := asynq.NewInspectorFromRedisClient(c.redis).Servers()
	host, hostErr := os.Hostname()
	if err != nil || hostErr != nil {
		return alone
	}
	names := make([]string, 0, len(servers))
	for _, s := range servers {
		if _, ours := s.Queues[WakeBulk.name()]; ours {
			names = append(names, processName(s.Host, s.PID))
		}
	}
	return placeOf(processName(host, os.Getpid()), names)
}

func processName(host string, pid int) string { return fmt.Sprintf("%s:%d", host, pid) }

// placeOf ranks a process among others by their names; one that runs several
// servers counts once.
func placeOf(own string, names []string) Place {
	others := make(map[string]bool)
	before := 0
	for _, name := range names {
		if name != own && !others[name] {
			others[name] = true
			if name < own {
				before++
			}
		}
	}
	return Place{Rank: before, Of: len(others) + 1}
}
