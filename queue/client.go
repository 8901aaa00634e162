package queue

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Client enqueues wake-ups and looks at the queues. It is safe for concurrent use.
type Client struct {
	opt   asynq.RedisConnOpt
	asynq *asynq.Client
	redis *redis.Client
	door  *door
}

// Open prepares a client for a REDIS_URL (redis, rediss, redis-sentinel). The client
// connects when it is first used. The caller closes it.
func Open(address string) (*Client, error) {
	redis.SetLogger(silence{}) // the library's only logger writes on stderr
	make, err := parseURL(address)
	if err != nil {
		return nil, err
	}
	return newClient(make), nil
}

// parseURL reads a REDIS_URL. asynq reads the ones of sentinels; of others it would
// ignore the user and want a port. No error repeats any part of the URL, as any part may
// be a mistyped password. A fragment is what follows a # in one.
func parseURL(s string) (func() any, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Fragment != "" {
		return nil, errURL
	}
	switch u.Scheme {
	case "redis", "rediss":
		if opt, err := redis.ParseURL(s); err == nil {
			return func() any { return redis.NewClient(opt) }, nil
		}
	case "redis-sentinel":
		if opt, err := asynq.ParseRedisURI(s); err == nil && u.Query().Get("master") != "" {
			return opt.MakeRedisClient, nil
		}
	}
	return nil, errURL
}

var errURL = errors.New("REDIS_URL is not of the form redis://user:password@host:6379/0, rediss://… or" +
	" redis-sentinel://:password@host:26379/0?master=NAME (write special characters of the password as %XX)")

func newClient(make func() any) *Client {
	d := &door{}
	opt := behind{d, make}
	rdb := opt.client()
	return &Client{opt: opt, asynq: asynq.NewClientFromRedisClient(rdb), redis: rdb, door: d}
}

// Close closes the connections.
func (c *Client) Close() error { return c.redis.Close() }

// ErrEviction says that Redis may throw tasks away when its memory is full. The
// work is safe in PostgreSQL, but the ids of lost tasks can block new ones.
var ErrEviction = errors.New("the Redis server evicts keys when its memory is full: set maxmemory-policy to noeviction")

// CheckPolicy returns ErrEviction unless Redis keeps what it is given. A managed Redis
// may not tell its policy: it passes.
func (c *Client) CheckPolicy(ctx context.Context) error {
	policy, err := c.redis.ConfigGet(ctx, "maxmemory-policy").Result()
	if err != nil {
		return nil
	}
	if p := policy["maxmemory-policy"]; p != "" && p != "noeviction" {
		return ErrEviction
	}
	return nil
}

// taskTimeout is longer than a relay may take to answer the final dot. The lease in
// PostgreSQL alone decides who holds what.
const taskTimeout = 30 * time.Minute

// Enqueue asks for n wake-ups of one kind in a period named tick. The same
// slot in the same period is one task, however many dispatchers ask.
func (c *Client) Enqueue(ctx context.Context, w WakeUp, tick int64, n int) error {
	for slot := range n {
		_, err := c.asynq.EnqueueContext(ctx, asynq.NewTask(w.name(), nil),
			asynq.Queue(w.name()),
			asynq.TaskID(fmt.Sprintf("%s-%d-%d", w, slot, tick)),
			asynq.MaxRetry(1), // a crash uses one up; without a retry asynq would archive the task
			asynq.Timeout(taskTimeout))
		if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
			return unavailable{fmt.Errorf("enqueue %s: %w", w, err)}
		}
	}
	return nil
}

// Pending tells how many wake-ups of one kind wait to be taken. It counts the queue
// itself. When Redis loses everything, asynq's Inspector does not find the queue again
// before the client is made anew, though its tasks run.
func (c *Client) Pending(ctx context.Context, w WakeUp) (int, error) {
	n, err := c.redis.LLen(ctx, w.key("pending")).Result()
	if err != nil {
		return 0, unavailable{fmt.Errorf("look at queue %s: %w", w, err)}
	}
	return int(n), nil
}

// Depth tells how many wake-ups Redis holds, waiting or running. It returns an
// error when Redis does not answer.
func (c *Client) Depth(ctx context.Context) (int, error) {
	var counts []*redis.IntCmd
	_, err := c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, w := range WakeUps() {
			counts = append(counts, p.LLen(ctx, w.key("pending")), p.LLen(ctx, w.key("active")), p.ZCard(ctx, w.key("retry")))
		}
		return nil
	})
	if err != nil {
		return 0, unavailable{fmt.Errorf("look at the queues: %w", err)}
	}
	depth := 0
	for _, n := range counts {
		depth += int(n.Val())
	}
	return depth, nil
}

// key is the Redis key of the tasks of a queue in one state. All releases of asynq that
// may share a Redis have the same layout.
func (w WakeUp) key(state string) string { return "asynq:{" + w.name() + "}:" + state }

// silence drops what the Redis client logs about each attempt to connect. The caller
// that needed the connection reports the failure.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
