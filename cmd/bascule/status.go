package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/queue"
	"bascule/sql"
)

type statusFlags struct {
	batch batchNumber
	json  bool
	watch bool
}

func (a *app) statusCommand() *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how requests, spaces and mail stand",
		Long: `Shows how requests, spaces and mail stand, and why no mail leaves if that is known.

Environment: DATABASE_URL; REDIS_URL, optional, for the depth of the queue.`,
		Example: `  bascule status --watch
  bascule status --batch 3 --json`,
		Args: noArg,
	}
	f.batch.addTo(cmd, a, "only this batch")
	addJSONTo(cmd, &f.json, "print one JSON object")
	cmd.Flags().BoolVar(&f.watch, "watch", false, "keep showing until interrupted")
	cmd.RunE = a.withDB(func(ctx context.Context, db *sql.DB, _ []string) error { return a.status(ctx, db, f) })
	return cmd
}

// watchEvery is how often --watch looks.
const watchEvery = 2 * time.Second

func (a *app) status(ctx context.Context, db *sql.DB, f statusFlags) error {
	depth, closeQueue, err := a.queueDepth()
	if err != nil {
		return err
	}
	defer closeQueue()
	for {
		s, err := db.Status(ctx, int64(f.batch))
		if f.watch && ctx.Err() != nil { // a signal ends the watch
			return nil
		}
		if err != nil {
			return err
		}
		line := newStatusLine(s, depth(ctx))
		if f.json {
			err = a.printJSON(line)
		} else {
			a.printStatus(s, line, f)
		}
		if err != nil || !f.watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
	}
}

// queueDepth returns a function that reads the depth of the queue: nil without Redis.
// It returns an error if REDIS_URL is set and wrong.
func (a *app) queueDepth() (depth func(context.Context) *int, closeQueue func(), err error) {
	url, err := a.env.redisURL()
	if err != nil { // not set
		return func(context.Context) *int { return nil }, func() {}, nil
	}
	q, err := queue.Open(url)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context) *int {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		n, err := q.Depth(ctx)
		if err != nil {
			return nil
		}
		return &n
	}, func() { q.Close() }, nil
}

// Counts are requests by state, each counted once, and spaces by access.
type Counts struct {
	Requested     int                       `json:"requested"`
	Mailed        int                       `json:"mailed"`
	Activated     int                       `json:"activated"`
	Expired       int                       `json:"expired"`
	Undeliverable int                       `json:"undeliverable"`
	Cancelled     int                       `json:"cancelled"`
	NotDelivered  int                       `json:"not_delivered"` // expired requests whose code sat in a queue until it was dead
	Spaces        map[conversion.Access]int `json:"spaces"`
}

func newCounts(states map[conversion.State]int, notDelivered int, spaces map[conversion.Access]int) Counts {
	return Counts{states[conversion.StateRequested], states[conversion.StateMailed], states[conversion.StateActivated],
		states[conversion.StateExpired], states[conversion.StateUndeliverable], states[conversion.StateCancelled], notDelivered, spaces}
}

// A statusLine is what `status --json` prints.
type statusLine struct {
	Counts
	QueueDepth     *int                 `json:"queue_depth"`   // null without Redis
	MailsToSend    int                  `json:"mails_to_send"` // with the invitations of running campaigns
	Held           int                  `json:"held"`          // invitations that campaigns hold
	RecapsToRender int                  `json:"recaps_to_render"`
	MailsPerSecond float64              `json:"mails_per_second"` // over the last minute
	SecondsLeft    *float64             `json:"seconds_left"`     // at this pace; null if nothing moves
	Breaker        string               `json:"relay_refuses"`    // why, "" while mail flows
	Paused         []sql.PausedCampaign `json:"paused_campaigns"` // with their reasons
	WaitsForKeys   []conversion.KeyID   `json:"waits_for_keys"`   // keys that no worker has
}

func newStatusLine(s sql.Status, depth *int) statusLine {
	l := statusLine{
		Counts: newCounts(s.States, s.NotDelivered, s.Spaces), QueueDepth: depth, MailsToSend: s.ToSend + s.Leaving, Held: s.Held, RecapsToRender: s.ToRender,
		MailsPerSecond: float64(s.LastMinute) / 60, Breaker: s.Breaker,
		Paused:       append([]sql.PausedCampaign{}, s.Paused...),
		WaitsForKeys: append([]conversion.KeyID{}, s.WaitsForKeys...),
	}
	switch {
	case l.MailsToSend == 0:
		l.SecondsLeft = new(float64)
	case s.LastMinute > 0:
		left := float64(l.MailsToSend) / l.MailsPerSecond
		l.SecondsLeft = &left
	}
	return l
}

// clearScreen moves a terminal's cursor home and clears what is below.
const clearScreen = "\x1b[H\x1b[J"

func (a *app) printStatus(s sql.Status, l statusLine, f statusFlags) {
	var b strings.Builder
	if f.watch && isTerminal(a.stdout) {
		b.WriteString(clearScreen)
	}
	what := "All batches"
	if f.batch != 0 {
		what = fmt.Sprintf("Batch %d", f.batch)
	}
	fmt.Fprintf(&b, "%s\n\nRequests\n", what)
	writeStates(&b, s.States, s.NotDelivered)
	b.WriteString("\nSpaces\n")
	fmt.Fprintf(&b, "%10d  entered by certificate\n%10d  entered by address and password\n",
		s.Spaces[conversion.AccessCertificate], s.Spaces[conversion.AccessPassword])
	fmt.Fprintf(&b, "\nMail\n%10d  to send\n%10.1f  a second, over the last minute\n", l.MailsToSend, l.MailsPerSecond)
	if l.MailsToSend > 0 && l.SecondsLeft != nil {
		fmt.Fprintf(&b, "%10s  left at this pace\n", time.Duration(*l.SecondsLeft*float64(time.Second)).Round(time.Second))
	}
	if held := s.Held - s.Leaving; held > 0 {
		fmt.Fprintf(&b, "%10d  held by campaigns that are not running\n", held)
	}
	if l.RecapsToRender > 0 {
		fmt.Fprintf(&b, "%10d  recaps to render\n", l.RecapsToRender)
	}
	if l.QueueDepth == nil {
		b.WriteString("         –  wake-ups in Redis: it does not answer, or REDIS_URL is not set\n")
	} else {
		fmt.Fprintf(&b, "%10d  wake-ups in Redis\n", *l.QueueDepth)
	}
	if l.Breaker != "" {
		fmt.Fprintf(&b, "\nThe relay refuses our mail, one is tried every %s: %s\n", sql.ProbeEvery, l.Breaker)
	}
	for _, c := range l.Paused {
		fmt.Fprintf(&b, "\nThe campaign %s is paused%s: `bascule campaign show %s` tells more\n", c.Name, inBrackets(c.Why), shellWord(c.Name))
	}
	for _, key := range l.WaitsForKeys {
		fmt.Fprintf(&b, "\nMails wait for key %s, which no `bascule work` has started with: start one with the SECRET_KEY of whoever imports\n", key)
	}
	fmt.Fprint(a.stdout, b.String())
}

// inBrackets writes " (why)"; "" for none.
func inBrackets(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

// writeStates tells how many requests are in each state.
func writeStates(w io.Writer, states map[conversion.State]int, notDelivered int) {
	total := 0
	for _, n := range states {
		total += n
	}
	for _, state := range conversion.States() {
		fmt.Fprintf(w, "%10d  %s\n", states[state], withShare(string(state), states[state], total))
	}
	fmt.Fprintf(w, "%10d  total\n", total)
	if notDelivered > 0 {
		fmt.Fprintf(w, "%10d  of the expired were not delivered in time\n", notDelivered)
	}
}

// withShare draws a bar behind a name, for a part of the whole.
func withShare(name string, n, total int) string {
	if n == 0 {
		return name
	}
	const width = 30
	return fmt.Sprintf("%-14s %s %.1f %%", name, strings.Repeat("█", max(1, n*width/total)), 100*float64(n)/float64(total))
}
