package jobs

import (
	"log/slog"
	"sync"
	"time"
)

// complaints keep a failure that repeats from filling the log.
type complaints struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// complainEvery is how often the same failure is logged.
const complainEvery = time.Minute

// error logs a failure the first time, and then once in complainEvery.
func (c *complaints) error(log *slog.Logger, now time.Time, msg string, args ...any) {
	c.mu.Lock()
	last, told := c.last[msg]
	quiet := told && now.Sub(last) < complainEvery
	if !quiet {
		if c.last == nil {
			c.last = make(map[string]time.Time)
		}
		c.last[msg] = now
	}
	c.mu.Unlock()
	if !quiet {
		log.Error(msg, args...)
	}
}
