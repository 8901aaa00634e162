package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/go-redis/redis_rate/v10"
)

// Limiter shares MAIL_RATE among all workers. A fifth is reserved for
// interactive mail, which may also use the rest.
type Limiter struct {
	limiter           *redis_rate.Limiter
	interactive, bulk share
}

// A share is a part of the rate.
type share struct {
	key   string // in Redis
	limit redis_rate.Limit
}

// interactiveShare is the share of the rate that batches never take.
const interactiveShare = 0.2

// BulkRate is the share of a rate that batches may take.
func BulkRate(perSecond float64) float64 { return perSecond * (1 - interactiveShare) }

// NewLimiter limits the mail of all workers together to perSecond.
func NewLimiter(c *Client, perSecond float64) *Limiter {
	return &Limiter{
		limiter:     redis_rate.NewLimiter(c.redis),
		interactive: share{"bascule:mail:interactive", limit(perSecond * interactiveShare)},
		bulk:        share{"bascule:mail:bulk", limit(BulkRate(perSecond))},
	}
}

// limit spreads the rate evenly: at most the mails of a twentieth of a second go at
// once.
func limit(perSecond float64) redis_rate.Limit {
	burst := max(1, int(perSecond/20))
	return redis_rate.Limit{Rate: burst, Period: time.Duration(float64(burst) / perSecond * float64(time.Second)), Burst: burst}
}

// Take tells how many of n mails may go now. If none may, it tells how long to wait. It
// returns an error when Redis does not answer; then nothing may go.
func (l *Limiter) Take(ctx context.Context, w WakeUp, n int) (allowed int, wait time.Duration, err error) {
	shares := []share{l.bulk}
	if w == WakeInteractive {
		shares = []share{l.interactive, l.bulk}
	}
	for _, s := range shares {
		res, err := l.limiter.AllowAtMost(ctx, s.key, s.limit, n)
		if err != nil {
			return 0, 0, unavailable{fmt.Errorf("ask for mail rate: %w", err)}
		}
		if res.Allowed > 0 {
			return res.Allowed, 0, nil
		}
		wait = max(res.RetryAfter, time.Millisecond)
	}
	return 0, wait, nil
}
