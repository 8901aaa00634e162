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
	limiter     *redis_rate.Limiter
	interactive redis_rate.Limit
	bulk        redis_rate.Limit
}

// interactiveShare of the rate is never taken by batches.
const interactiveShare = 0.2

// NewLimiter limits mail to perSecond, all workers together.
func NewLimiter(c *Client, perSecond float64) *Limiter {
	return &Limiter{
		limiter:     redis_rate.NewLimiter(c.redis),
		interactive: limit(perSecond * interactiveShare),
		bulk:        limit(perSecond * (1 - interactiveShare)),
	}
}

// limit spreads the rate evenly: no more than a twentieth of a second's worth
// goes at once.
func limit(perSecond float64) redis_rate.Limit {
	burst := max(1, int(perSecond/20))
	return redis_rate.Limit{Rate: burst, Period: time.Duration(float64(burst) / perSecond * float64(time.Second)), Burst: burst}
}

// Take waits until at least one mail may go, and returns how many of n may. It
// returns an error when ctx ends or Redis does not answer: nothing may go then.
func (l *Limiter) Take(ctx context.Context, w WakeUp, n int) (int, error) {
	for {
		allowed, wait, err := l.try(ctx, w, n)
		if err != nil {
			return 0, unavailable{fmt.Errorf("ask for mail rate: %w", err)}
		}
		if allowed > 0 {
			return allowed, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (l *Limiter) try(ctx context.Context, w WakeUp, n int) (allowed int, wait time.Duration, err error) {
	if w == WakeInteractive {
		res, err := l.limiter.AllowAtMost(ctx, "bascule:mail:interactive", l.interactive, n)
		if err != nil || res.Allowed > 0 {
			return allowedOf(res), 0, err
		}
	}
	res, err := l.limiter.AllowAtMost(ctx, "bascule:mail:bulk", l.bulk, n)
	if err != nil {
		return 0, 0, err
	}
	return res.Allowed, max(res.RetryAfter, time.Millisecond), nil
}

func allowedOf(res *redis_rate.Result) int {
	if res == nil {
		return 0
	}
	return res.Allowed
}
