package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bascule/internal/devenv/devtest"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
)

// A troubled is a Redis in the bubble that can be brought into trouble, and counts
// what it is asked.
type troubled struct {
	*miniredis.Miniredis
	asked  atomic.Int64
	answer atomic.Pointer[string]        // to every command; nil while all is well
	reads  atomic.Bool                   // but for those that only read
	thawed atomic.Pointer[chan struct{}] // until it is closed nobody gets an answer; nil: all do
}

// newTroubled is one that is well, with a client.
func newTroubled(t *testing.T) (*troubled, *Client) {
	r := &troubled{Miniredis: miniredis.NewMiniRedis()}
	c := newClient(func() any {
		return redis.NewClient(&redis.Options{Addr: "192.0.2.1:6379", Dialer: r.dial, DisableIdentity: true}) // never dialled by name
	})
	if err := c.redis.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	r.Server().SetPreHook(r.hook)
	return r, c
}

func (r *troubled) dial(context.Context, string, string) (net.Conn, error) {
	return r.Dial()
}

// hook answers in place of Redis.
func (r *troubled) hook(c *server.Peer, cmd string, _ ...string) bool {
	r.asked.Add(1)
	if thawed := r.thawed.Load(); thawed != nil && r.TryLock() { // a script that has begun holds the lock, and ends
		r.Unlock()
		<-*thawed
	}
	answer := r.answer.Load()
	if answer == nil || r.reads.Load() && (cmd == "HELLO" || cmd == "PING" || cmd == "SUBSCRIBE" || cmd == "LLEN") {
		return false
	}
	c.WriteError(*answer)
	return true
}

// trouble brings it into trouble; "" ends it.
func (r *troubled) trouble(answer string) {
	r.answer.Store(&answer)
	if answer == "" {
		r.answer.Store(nil)
	}
}

// freeze makes it answer nobody, until thaw.
func (r *troubled) freeze() (thaw func()) {
	thawed := make(chan struct{})
	r.thawed.Store(&thawed)
	return func() { close(thawed) }
}

func lines(log *devtest.Log) []string {
	return strings.Split(strings.TrimSpace(log.String()), "\n")
}

// An idle worker does not trouble a Redis that is in trouble: under five calls a
// second, whatever it answers. The log has one sentence with the remedy, and one when
// the trouble is over. Then work goes on.
func TestRedisInTrouble(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer string
		reads  bool
		advice string
	}{
		{"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", true, "make room on its disk"},
		{"ERR Error running script: @user_script:1: MISCONF Redis is configured to save RDB snapshots", true, "make room on its disk"},
		{"OOM command not allowed when used memory > 'maxmemory'.", true, "raise its maxmemory"},
		{"READONLY You can't write against a read only replica.", true, "name the primary"},
		{"NOAUTH Authentication required.", false, "write it into REDIS_URL"},
		{"WRONGPASS invalid username-password pair or user is disabled.", false, "correct REDIS_URL"},
		{"NOPERM this user has no permissions to run the 'evalsha' command", false, "give it all commands"},
		{"LOADING Redis is loading the dataset in memory", false, "wait"},
		{"CLUSTERDOWN The cluster is down", false, "not a cluster"},
		{"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", false, "without its primary"},
		{"BUSY Redis is busy running a script.", false, "SCRIPT KILL"},
		{"ERR unknown command 'evalsha'", false, "rename no command away"},
		{"ERR max number of clients reached", false, "raise its maxclients"},
		{"ERR DB index is out of range", false, "correct the number"},
		{"WRONGTYPE Operation against a key holding the wrong kind of value", true, "another database"},
		{"ERR what nobody has seen", false, "see its log"},
	} {
		t.Run(c.answer[:12], func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { inTrouble(t, c.answer, c.reads, c.advice) })
		})
	}
}

func inTrouble(t *testing.T, answer string, reads bool, advice string) {
	r, c := newTroubled(t)
	r.reads.Store(reads)
	var log devtest.Log
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan WakeUp, 10)
	s, err := Serve(ctx, c, Slots{Interactive: 4, Batch: 8}, Handlers{
		WakeBulk: func(context.Context) error { done <- WakeBulk; return nil },
	}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(5 * time.Second)
	r.trouble(answer)
	<-time.After(time.Second)
	before := r.asked.Load()
	const watched = 2 * time.Minute
	<-time.After(watched)
	if n := r.asked.Load() - before; n > 5*int64(watched/time.Second) || n < int64(watched/waitAfterFailure)/2 {
		t.Errorf("asked %d times in %s", n, watched)
	}
	if said := lines(&log); len(said) != 1 || !strings.Contains(said[0], advice) || !strings.Contains(said[0], "level=ERROR") {
		t.Errorf("the log has %d lines: %q", len(said), said)
	}
	if told := c.Trouble(); !strings.Contains(told, advice) {
		t.Errorf("the trouble is %q, want %q", told, advice)
	}
	r.trouble("")
	<-time.After(2 * quietFor)
	if said := lines(&log); len(said) != 2 || !strings.Contains(said[1], "answers again") {
		t.Errorf("afterwards the log has %d lines: %q", len(said), said)
	}
	if told := c.Trouble(); told != "" {
		t.Errorf("afterwards the trouble is %q", told)
	}
	if err := c.Enqueue(t.Context(), WakeBulk, 1, 1); err != nil {
		t.Fatal(err)
	}
	<-done
	r.trouble(answer)
	<-time.After(time.Second)
	cancel()
	begin := time.Now()
	s.Shutdown()
	if took := time.Since(begin); took > waitAfterFailure {
		t.Errorf("stopping took %s of waiting", took)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	r.Close()
	<-time.After(time.Second) // the library's goroutines end
}

// An error that is no trouble of Redis holds nobody up.
func TestTroubleOf(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, redis.Nil, redis.ErrClosed, context.Canceled, fmt.Errorf("look: %w", redis.Nil)} {
		if kind, _ := troubleOf(err); kind != "" {
			t.Errorf("%v: %s", err, kind)
		}
	}
	if kind, _ := troubleOf(errors.New("dial tcp: connection refused")); kind != unreachable {
		t.Errorf("nobody there: %q", kind)
	}
}

// A worker stops within seconds, also where a firewall swallows what it sends to Redis.
func TestStopWithoutRedis(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(func() any {
			return redis.NewClient(&redis.Options{Addr: "192.0.2.1:6379", Dialer: swallowed})
		})
		var log devtest.Log
		ctx, cancel := context.WithCancel(t.Context())
		s, err := Serve(ctx, c, Slots{Interactive: 4, Batch: 8}, Handlers{}, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Minute)
		cancel()
		begin := time.Now()
		s.Shutdown()
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("stopping took %s of waiting", took)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-time.After(time.Minute) // the library's goroutines end
	})
}

// A worker stops within seconds also if Redis freezes at that very moment.
func TestStopAsRedisFreezes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, c := newTroubled(t)
		ctx, cancel := context.WithCancel(t.Context())
		s, err := Serve(ctx, c, Slots{Interactive: 4, Batch: 8}, Handlers{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		time.AfterFunc(time.Minute, r.freeze())
		cancel()
		begin := time.Now()
		s.Shutdown()
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("stopping took %s", took)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-time.After(time.Minute) // the library's goroutines end
		r.Close()
	})
}

// swallowed is a connection that nobody answers.
func swallowed(ctx context.Context, _, _ string) (net.Conn, error) {
	select {
	case <-ctx.Done():
	case <-time.After(5 * time.Second):
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
}

// A REDIS_URL is read as other programs read it, and an error repeats nothing of it.
func TestParseURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"redis://localhost":                         "localhost:6379  0",
		"redis://u:p%40s@r.example:7000/3":          "r.example:7000 u 3",
		"rediss://:hunter2@r.example":               "r.example:6379  0",
		"redis-sentinel://r.example:26379?master=m": "FailoverClient  0",
		"redis-sentinel://r.example:26379":          "",
		"redis://:hunter2#x/r@r.example:6379":       "",
		"redis://:p@hunter2/x@r.example:6379":       "",
		"redis://:hunter2%@r.example":               "",
		"hunter2@r.example:6379":                    "",
		"http://hunter2":                            "",
		"redis:///1":                                "",
	} {
		c, err := Open(address)
		if (err != nil) != (want == "") || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
		if err != nil {
			continue
		}
		if o := c.redis.Options(); fmt.Sprintf("%s %s %d", o.Addr, o.Username, o.DB) != want {
			t.Errorf("%s: %s %s %d, want %s", address, o.Addr, o.Username, o.DB, want)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
