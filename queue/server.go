package queue

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

// Handlers does the work of each wake-up. A handler returns nil when nothing is due.
// The queue logs its error and never retries: the rows keep what is due.
type Handlers map[WakeUp]func(context.Context) error

// Slots says how many wake-ups of a worker run at once.
type Slots struct {
	Interactive int
	Batch       int // bulk mail, recaps and expiries together
}

// Server runs handlers for the wake-ups of all queues: interactive mail on an
// asynq server and a connection of its own.
type Server struct {
	ctx      context.Context // of every handler
	handlers Handlers
	log      *slog.Logger
	door     *door
	servers  []*asynq.Server
	running  sync.WaitGroup

	mu     sync.Mutex
	failed map[WakeUp]time.Time // when its failure was last told
}

// The weights of the queues that share a server. Recaps come before bulk mail, as
// somebody has just activated.
var batchQueues = map[string]int{WakeRecap.name(): 4, WakeBulk.name(): 3, WakeExpiry.name(): 1}

// checkInterval is how often an idle server looks for tasks. It is short because
// somebody looks at a screen, and because only servers that are awake share a small
// batch.
const checkInterval = 50 * time.Millisecond

// tidyInterval is how often asynq looks for tasks that it put off or has done. There
// are few: a crash leaves some, and the rows keep their work.
const tidyInterval = 30 * time.Second

// shutdownTimeout is how long asynq waits for running handlers before it puts their
// tasks back. Their context has ended before that time begins.
const shutdownTimeout = 30 * time.Second

// Serve starts to take wake-ups. It waits for Redis as long as necessary. ctx is the
// context of all handlers. The caller ends ctx, then calls Shutdown.
//
// Handlers do not get asynq's own context. That one ends with a lease in Redis, but
// handlers hold their work by a lease in PostgreSQL. And asynq waits for no handler
// whose context has ended.
func Serve(ctx context.Context, c *Client, slots Slots, handlers Handlers, log *slog.Logger) (*Server, error) {
	s := &Server{ctx: ctx, handlers: handlers, log: log, door: c.door, failed: make(map[WakeUp]time.Time)}
	c.door.open(log)
	for _, config := range []struct {
		slots  int
		queues map[string]int
	}{
		{slots.Interactive, map[string]int{WakeInteractive.name(): 1}},
		{slots.Batch, batchQueues},
	} {
		srv := asynq.NewServer(c.opt, asynq.Config{
			Concurrency:       config.slots,
			Queues:            config.queues,
			TaskCheckInterval: checkInterval,
			ShutdownTimeout:   shutdownTimeout,
			Logger:            asynqLog{log},
			LogLevel:          asynq.WarnLevel,

			DelayedTaskCheckInterval: tidyInterval,
			JanitorInterval:          tidyInterval,
		})
		if err := srv.Start(asynq.HandlerFunc(s.handle)); err != nil {
			s.Shutdown()
			return nil, fmt.Errorf("start taking tasks: %w", err)
		}
		s.servers = append(s.servers, srv)
	}
	return s, nil
}

// Shutdown takes no more tasks, and returns when no handler runs any more. It does not
// end the context of handlers.
func (s *Server) Shutdown() {
	s.door.shut()
	for _, srv := range s.servers {
		srv.Stop()
	}
	for _, srv := range s.servers {
		srv.Shutdown()
	}
	s.running.Wait() // for handlers that asynq has given up
}

// handle runs the handler of a task. It hides errors from the queue, as a retry would
// only be one more wake-up.
func (s *Server) handle(_ context.Context, t *asynq.Task) error {
	s.running.Add(1)
	defer s.running.Done()
	defer s.survive()
	w := WakeUp(strings.TrimPrefix(t.Type(), prefix))
	run, ok := s.handlers[w]
	if !ok { // of another release, whose workers run beside this one
		s.log.Error("task refused: unknown wake-up", "wake", string(w))
		return nil
	}
	if err := run(s.ctx); err != nil && s.ctx.Err() == nil {
		s.interrupted(w, err)
	}
	return nil
}

const (
	// tellEvery is how often a failure of one kind of work is told.
	tellEvery = time.Minute
	// waitAfterWork is how long a slot rests after its work failed. The next wake-up
	// would fail in the same way.
	waitAfterWork = time.Second
)

// interrupted logs why work failed, the first time and then once in tellEvery.
func (s *Server) interrupted(w WakeUp, err error) {
	now := time.Now()
	s.mu.Lock()
	last, told := s.failed[w]
	tell := !Told(err) && (!told || now.Sub(last) >= tellEvery)
	if tell {
		s.failed[w] = now
	}
	s.mu.Unlock()
	if tell {
		s.log.Error("work interrupted; it stays due", "wake", string(w), "err", err)
	}
	select {
	case <-s.ctx.Done():
	case <-time.After(waitAfterWork):
	}
}

// survive keeps a panic from archiving the task. Its value stays out of the log:
// it may hold anything (I6).
func (s *Server) survive() {
	if p := recover(); p != nil {
		s.log.Error("work ended in a panic; it stays due", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	}
}

// asynqLog keeps asynq's own words out of the way. They tell of commands that failed,
// which the door has logged once for all, or of tasks that Redis has lost. A lost task is
// nobody's concern: the rows know what is due.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug(fmt.Sprint(args...)) }
func (l asynqLog) Info(args ...any)  { l.Debug(args...) }
func (l asynqLog) Warn(args ...any)  { l.Debug(args...) }
func (l asynqLog) Error(args ...any) { l.Debug(args...) }
func (l asynqLog) Fatal(args ...any) { l.Debug(args...) }
