package queue

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
)

// Handlers does the work of each wake-up. A handler returns nil when nothing is
// due; its error is logged, never retried by the queue: the rows know.
type Handlers map[WakeUp]func(context.Context) error

// Slots says how many wake-ups of a worker run at once.
type Slots struct {
	Interactive int
	Batch       int // bulk mail, recaps and expiries together
}

// Server runs handlers for the wake-ups of all queues: interactive mail on an
// asynq server and a connection of its own.
type Server struct {
	servers []*asynq.Server
}

// The weights of the queues that share a server. Recaps come before bulk mail:
// somebody has just activated.
var batchQueues = map[string]int{WakeRecap.name(): 4, WakeBulk.name(): 3, WakeExpiry.name(): 1}

// shutdownTimeout is how long running handlers may take to give back what they
// hold; their context has ended when it begins to run.
const shutdownTimeout = 30 * time.Second

// Serve starts taking wake-ups. Handlers' contexts end with ctx. The caller
// calls Shutdown.
func Serve(ctx context.Context, c *Client, slots Slots, handlers Handlers, log *slog.Logger) (*Server, error) {
	s := &Server{}
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
			BaseContext:       func() context.Context { return ctx },
			TaskCheckInterval: 100 * time.Millisecond,
			ShutdownTimeout:   shutdownTimeout,
			Logger:            asynqLog{log},
			LogLevel:          asynq.WarnLevel,
		})
		if err := srv.Start(handler(handlers, log)); err != nil {
			s.Shutdown()
			return nil, fmt.Errorf("start taking tasks: %w", err)
		}
		s.servers = append(s.servers, srv)
	}
	return s, nil
}

// Shutdown takes no more tasks and waits for the running ones, up to a limit.
func (s *Server) Shutdown() {
	for _, srv := range s.servers {
		srv.Stop()
	}
	for _, srv := range s.servers {
		srv.Shutdown()
	}
}

func handler(handlers Handlers, log *slog.Logger) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		w, err := decode(t)
		if err != nil {
			log.Error("task refused", "err", err)
			return nil
		}
		run, ok := handlers[w]
		if !ok {
			log.Error("task refused: unknown wake-up", "wake", string(w))
			return nil
		}
		if err := run(ctx); err != nil && ctx.Err() == nil {
			log.Error("work interrupted; it stays due", "wake", string(w), "err", err)
		}
		return nil
	})
}

// asynqLog hands asynq's own words to slog.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug(fmt.Sprint(args...)) }
func (l asynqLog) Info(args ...any)  { l.log.Info(fmt.Sprint(args...)) }
func (l asynqLog) Warn(args ...any)  { l.log.Warn(fmt.Sprint(args...)) }
func (l asynqLog) Error(args ...any) { l.log.Error(fmt.Sprint(args...)) }
func (l asynqLog) Fatal(args ...any) { l.log.Error(fmt.Sprint(args...)) }
