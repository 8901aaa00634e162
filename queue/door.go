package queue

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Every command to Redis passes the door. After a failure asynq asks again at once,
// thousands of times a second; the door makes it wait. The door also logs the trouble,
// once for all callers.
type door struct {
	mu      sync.Mutex
	log     *slog.Logger // nil while no server runs: callers do not wait then
	trouble string       // the kind that was logged; "" while Redis answers
	remedy  string       // for it
	last    time.Time    // of a failure
	closed  chan struct{}
	gaveUp  bool // Redis is in trouble, and the server has ended
}

const (
	// waitAfterFailure is how long a caller waits after a failure. A worker asks Redis
	// from about ten places; Redis should not notice them.
	waitAfterFailure = 5 * time.Second
	// waitAfterDial is the wait after a refused connection. The library tries several
	// times before it fails.
	waitAfterDial = 500 * time.Millisecond
	// quietFor is the time without failures after which Redis counts as well. A Redis
	// that refuses to write still reads.
	quietFor = 10 * time.Second
)

// remedies tell the remedy for an error of Redis, by words of it.
var remedies = []struct{ word, remedy string }{
	{"MISCONF", "it cannot save its data: make room on its disk, or see its log"},
	{"OOM", "its memory is full: raise its maxmemory"},
	{"READONLY", "it is a replica: let REDIS_URL name the primary, or the sentinels"},
	{"NOAUTH", "it wants a password: write it into REDIS_URL"},
	{"WRONGPASS", "it knows another password: correct REDIS_URL"},
	{"NOPERM", "the user of REDIS_URL may not do this: give it all commands and keys"},
	{"LOADING", "it is reading its data: wait"},
	{"MASTERDOWN", "it is a replica without its primary: see its log"},
	{"CLUSTERDOWN", "bascule needs a single Redis or sentinels, not a cluster"},
	{"MOVED", "bascule needs a single Redis or sentinels, not a cluster"},
	{"NOREPLICAS", "it misses replicas: see min-replicas-to-write"},
	{"WRONGTYPE", "another program has its keys there: let REDIS_URL end in the number of another database, such as /1"},
	{"max number of clients", "it has no connection left: raise its maxclients, or run less beside it"},
	{"DB index", "it has no database of that number: correct the number in REDIS_URL"},
	{"unknown command", "it must be 6.2 or newer, and rename no command away"},
	{"BUSY", "somebody's script keeps it busy: see SCRIPT KILL"},
}

// The remedies for other failures.
const (
	unreachable = "unreachable"
	refusing    = "error"
)

// troubleOf tells the kind of trouble of an error, and its remedy. It is "" if there is
// no trouble: no value, a script that is still unknown, an answer of asynq's own
// scripts, or a caller that has given up.
func troubleOf(err error) (kind, remedy string) {
	if err == nil || errors.Is(err, redis.Nil) || errors.Is(err, redis.ErrClosed) || errors.Is(err, context.Canceled) {
		return "", ""
	}
	text := err.Error()
	if _, answered := errors.AsType[redis.Error](err); !answered {
		return unreachable, "see that it runs, and REDIS_URL"
	}
	if strings.Contains(text, "NOSCRIPT") || strings.Contains(text, "NOT FOUND") {
		return "", ""
	}
	for _, r := range remedies {
		if strings.Contains(text, r.word) {
			return r.word, r.remedy
		}
	}
	return refusing, "see its log"
}

// enter notes how a command ended, and makes its caller wait after a failure.
func (d *door) enter(ctx context.Context, err error) {
	kind, remedy := troubleOf(err)
	if ctx.Err() == nil {
		d.note(kind, remedy, err)
	}
	if kind != "" {
		d.hold(ctx, waitAfterFailure)
	}
}

// note logs that trouble begins, changes or ends, while a server runs. Redis has one
// chance to fail a server that stops.
func (d *door) note(kind, remedy string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.log == nil {
		d.gaveUp = d.gaveUp || kind != "" && d.closed != nil
		return
	}
	switch now := time.Now(); {
	case kind != "":
		if d.trouble != kind {
			d.log.Error("Redis is of no use; no mail starts, all work stays due: "+remedy, "err", err)
		}
		d.trouble, d.remedy, d.last = kind, remedy, now
	case d.trouble != "" && now.Sub(d.last) >= quietFor:
		d.trouble, d.remedy = "", ""
		d.log.Info("Redis answers again")
	}
}

// Trouble is the remedy for the trouble that Redis is in, in the words of the log; "" if it
// is in none.
func (c *Client) Trouble() string {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	return c.door.remedy
}

// hold makes a caller wait after a failure, unless no server runs.
func (d *door) hold(ctx context.Context, how time.Duration) {
	d.mu.Lock()
	log, closed := d.log, d.closed
	d.mu.Unlock()
	if log == nil {
		return
	}
	wait := time.NewTimer(how)
	defer wait.Stop()
	select {
	case <-ctx.Done():
	case <-closed:
	case <-wait.C:
	}
}

// open lets the door log troubles; shut ends all waits.
func (d *door) open(log *slog.Logger) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log, d.closed = log, make(chan struct{})
}

func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.log != nil {
		d.log, d.gaveUp = nil, d.trouble != ""
		close(d.closed)
	}
}

// errGivenUp ends the commands with which asynq tidies up as it stops. Each would wait for
// seconds where nobody answers, a minute in all, and there is nothing to tidy up: the rows
// know what is due.
var errGivenUp = errors.New("no answer of Redis, and this worker stops")

func (d *door) givenUp() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gaveUp
}

// DialHook, ProcessHook and ProcessPipelineHook make a door a [redis.Hook].
func (d *door) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if d.givenUp() {
			return nil, errGivenUp
		}
		conn, err := next(ctx, network, addr)
		if err != nil {
			d.hold(ctx, waitAfterDial)
		}
		return conn, err
	}
}

// ProcessHook handles one command.
func (d *door) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if d.givenUp() {
			return errGivenUp
		}
		err := next(ctx, cmd)
		if !greets(cmd) {
			d.enter(ctx, err)
		}
		return err
	}
}

// ProcessPipelineHook handles several commands.
func (d *door) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if d.givenUp() {
			return errGivenUp
		}
		err := next(ctx, cmds)
		if len(cmds) > 0 && !greets(cmds[len(cmds)-1]) {
			d.enter(ctx, err)
		}
		return err
	}
}

// greets tells whether a command only opens a connection. Older servers do not know
// some of these. The next command shows whether the connection works.
func greets(cmd redis.Cmder) bool {
	switch cmd.Name() {
	case "hello", "auth", "client", "select":
		return true
	}
	return false
}

// behind makes the clients of asynq and ours pass a door.
type behind struct {
	door *door
	make func() any
}

// MakeRedisClient implements [asynq.RedisConnOpt].
func (b behind) MakeRedisClient() any { return b.client() }

// client makes a client. One of sentinels has the same type.
func (b behind) client() *redis.Client {
	rdb := b.make().(*redis.Client)
	rdb.AddHook(b.door)
	rdb.Options().MaxRetries = 0 // Redis would try four times, and the caller asks again anyway
	return rdb
}

// unavailable is an error of Redis that the door has logged.
type unavailable struct{ error }

func (u unavailable) Unwrap() error { return u.error }

// Told tells an error that need not be logged: Redis is in trouble, and the server's
// log says so already.
func Told(err error) bool { return errors.As(err, new(unavailable)) }
