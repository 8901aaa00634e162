package queue

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"bascule/internal/devenv/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

func open(t *testing.T, url string) *Client {
	t.Helper()
	c, err := Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// C2: three dispatchers that ask for the same wake-ups enqueue as much as one,
// and a later period enqueues again.
func TestEnqueueOnce(t *testing.T) {
	t.Parallel()
	url := devtest.Redis(t).URL()
	for range 3 {
		if err := open(t, url).Enqueue(t.Context(), WakeBulk, 17, 5); err != nil {
			t.Fatal(err)
		}
	}
	c := open(t, url)
	if n, err := c.Pending(t.Context(), WakeBulk); n != 5 || err != nil {
		t.Errorf("%d wake-ups wait, error %v; want 5", n, err)
	}
	if err := c.Enqueue(t.Context(), WakeBulk, 18, 1); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Depth(t.Context()); n != 6 || err != nil {
		t.Errorf("%d wake-ups in all, error %v; want 6", n, err)
	}
}

// A wake-up may crash its worker once without being archived, which would keep
// its like out; it outlasts the slowest relay.
func TestWakeUpsSurviveACrash(t *testing.T) {
	t.Parallel()
	c := open(t, devtest.Redis(t).URL())
	if err := c.Enqueue(t.Context(), WakeBulk, 1, 1); err != nil {
		t.Fatal(err)
	}
	tasks, err := asynq.NewInspectorFromRedisClient(c.redis).ListPendingTasks(WakeBulk.name())
	if err != nil || len(tasks) != 1 || tasks[0].MaxRetry != 1 || tasks[0].Timeout != taskTimeout {
		t.Errorf("%+v, %v", tasks, err)
	}
}

// A Redis that may throw wake-ups away is reported; one that tells no policy passes.
func TestCheckPolicy(t *testing.T) {
	t.Parallel()
	c := open(t, devtest.Redis(t).URL())
	for policy, want := range map[string]error{"noeviction": nil, "allkeys-lru": ErrEviction, "volatile-ttl": ErrEviction} {
		if err := c.redis.ConfigSet(t.Context(), "maxmemory-policy", policy).Err(); err != nil {
			t.Fatal(err)
		}
		if err := c.CheckPolicy(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", policy, err, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c, stop := virtualRedis(t)
		defer stop()
		if err := c.CheckPolicy(t.Context()); err != nil { // it does not know the command
			t.Error(err)
		}
	})
}

// A handler that fails or panics ends its task. Nothing is retried or archived, as the
// rows know what is still due, and the server goes on. So does a task of another release,
// whose workers may run beside these, and which has a wake-up that nobody knows here.
func TestHandlersMayFail(t *testing.T) {
	t.Parallel()
	c := open(t, devtest.Redis(t).URL())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan WakeUp, 3)
	server, err := Serve(ctx, c, Slots{Interactive: 1, Batch: 1}, Handlers{
		WakeInteractive: func(context.Context) error { done <- WakeInteractive; return errors.New("no") },
		WakeRecap:       func(context.Context) error { done <- WakeRecap; panic("never mind") },
		WakeExpiry:      func(context.Context) error { done <- WakeExpiry; return nil },
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []WakeUp{WakeInteractive, WakeRecap, WakeBulk, WakeExpiry} { // nobody handles bulk here
		if err := c.Enqueue(t.Context(), w, 1, 1); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		<-done
	}
	poll(t, "no wake-up is left", func() bool {
		n, err := c.Depth(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
	cancel()
	server.Shutdown()
}

// A Redis that loses everything loses the tasks that run. They end all the same, and
// nobody is told: the rows know what is due.
func TestEmptiedRedisIsNoTrouble(t *testing.T) {
	t.Parallel()
	c := open(t, devtest.Redis(t).URL())
	ctx, cancel := context.WithCancel(t.Context())
	begun, end := make(chan struct{}), make(chan struct{})
	var log devtest.Log
	server, err := Serve(ctx, c, Slots{Interactive: 1, Batch: 1}, Handlers{
		WakeBulk: func(context.Context) error { close(begun); <-end; return nil },
	}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Enqueue(t.Context(), WakeBulk, 1, 1); err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := c.redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	close(end)
	cancel()
	server.Shutdown()
	if log.String() != "" {
		t.Errorf("the log says %s", log.String())
	}
}

// poll waits for something that is certain to come.
func poll(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// The rate of all workers together holds over virtual time. A fifth of it is kept for
// interactive mail: bulk mail never takes that.
func TestLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, stop := virtualRedis(t)
		defer stop()
		limiter := NewLimiter(c, 100)
		start, sent := time.Now(), 0
		for time.Since(start) < 10*time.Second {
			n, wait, err := limiter.Take(t.Context(), WakeBulk, 64)
			if err != nil || (n == 0) != (wait > 0) {
				t.Fatal(n, wait, err)
			}
			sent += n
			time.Sleep(wait) // moves the clock of the bubble, and takes no time
		}
		if sent < 700 || sent > 850 {
			t.Errorf("%d bulk mails in 10 s, want about 800", sent)
		}
		if n, _, err := limiter.Take(t.Context(), WakeInteractive, 1); n != 1 || err != nil || time.Since(start) > 10100*time.Millisecond {
			t.Errorf("an interactive mail had to wait for bulk mail: %d, %v", n, err)
		}
	})
}

// virtualRedis is a Redis in the bubble, without a network: virtual time passes
// for it too.
func virtualRedis(t *testing.T) (*Client, func()) {
	t.Helper()
	server := miniredis.NewMiniRedis()
	rdb := redis.NewClient(&redis.Options{
		Addr:            "192.0.2.1:6379", // never dialled; a name would be looked up, and a look-up leaves the bubble
		Dialer:          func(context.Context, string, string) (net.Conn, error) { return server.Dial() },
		MaxRetries:      -1,
		DisableIdentity: true,
	})
	return &Client{redis: rdb}, func() {
		if err := rdb.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	}
}
