package terminal

import (
	"fmt"
	"io"
	"strings"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// A Status is what `status --json` prints.
type Status struct {
	sql.Counts
	QueueDepth     *int                 `json:"queue_depth"`   // null without Redis
	MailsToSend    int                  `json:"mails_to_send"` // with the invitations of running campaigns
	Held           int                  `json:"held"`          // invitations that campaigns hold
	RecapsToRender int                  `json:"recaps_to_render"`
	MailsPerSecond float64              `json:"mails_per_second"` // over the last minute
	SecondsLeft    *float64             `json:"seconds_left"`     // at this pace; null if nothing moves
	Breaker        string               `json:"relay_refuses"`    // why, "" while mail flows
	Standstill     string               `json:"standstill"`       // why mails to send stand still, "" while they go out or if it is not known
	Paused         []sql.PausedCampaign `json:"paused_campaigns"` // with their reasons
	WaitsForKeys   []conversion.KeyID   `json:"waits_for_keys"`   // keys that no worker has

	status sql.Status
	batch  int64 // 0: all
}

// NewStatus is the status of a batch; of all for 0. depth is that of the queue, nil if it is
// not known.
func NewStatus(s sql.Status, batch int64, depth *int) Status {
	l := Status{
		status: s, batch: batch,
		Counts: s.Counts, QueueDepth: depth, MailsToSend: s.ToSend + s.Leaving, Held: s.Held, RecapsToRender: s.ToRender,
		MailsPerSecond: float64(s.LastMinute) / 60, Breaker: s.Breaker, Standstill: whyStill(s),
		Paused:       append([]sql.PausedCampaign{}, s.Paused...),
		WaitsForKeys: append([]conversion.KeyID{}, s.WaitsForKeys...),
	}
	switch {
	case l.MailsToSend == 0:
		l.SecondsLeft = new(float64)
	case s.LastMinute > 0:
		l.SecondsLeft = new(float64(l.MailsToSend) / l.MailsPerSecond)
	}
	return l
}

// Print tells how requests, spaces and mail stand.
func (l Status) Print(w io.Writer) {
	s := l.status
	what := "All batches"
	if l.batch != 0 {
		what = fmt.Sprintf("Batch %d", l.batch)
	}
	fmt.Fprintf(w, "%s\n\nRequests\n", what)
	writeStates(w, s.Counts)
	io.WriteString(w, "\nSpaces\n")
	fmt.Fprintf(w, "%10d  entered by certificate\n%10d  entered by address and password\n",
		s.Spaces[conversion.AccessCertificate], s.Spaces[conversion.AccessPassword])
	fmt.Fprintf(w, "\nMail\n%10d  to send\n", l.MailsToSend)
	if s.Leaving > 0 {
		fmt.Fprintf(w, "%10d  of them in their turn, as the brakes of their campaigns allow\n", s.Leaving)
	}
	fmt.Fprintf(w, "%10.1f  a second, over the last minute\n", l.MailsPerSecond)
	if l.MailsToSend > 0 && l.SecondsLeft != nil {
		fmt.Fprintf(w, "%10s  left at this pace\n", time.Duration(*l.SecondsLeft*float64(time.Second)).Round(time.Second))
	}
	if held := s.Held - s.Leaving; held > 0 {
		fmt.Fprintf(w, "%10d  held by campaigns that are not running\n", held)
	}
	if l.RecapsToRender > 0 {
		fmt.Fprintf(w, "%10d  recaps to render\n", l.RecapsToRender)
	}
	if l.QueueDepth == nil {
		io.WriteString(w, "         –  wake-ups in Redis: it does not answer, or REDIS_URL is not set\n")
	} else {
		fmt.Fprintf(w, "%10d  wake-ups in Redis\n", *l.QueueDepth)
	}
	if l.Breaker != "" {
		fmt.Fprintf(w, "\nThe relay refuses our mail, one is tried every %s: %s\n", sql.ProbeEvery, l.Breaker)
	}
	if l.Standstill != "" {
		fmt.Fprintf(w, "\nNo mail goes out: %s\n", l.Standstill)
	}
	for _, c := range l.Paused {
		fmt.Fprintf(w, "\nThe campaign %s is paused%s: `bascule campaign show %s` tells more\n", c.Name, inBrackets(c.Why), ShellWord(c.Name))
	}
	for _, key := range l.WaitsForKeys {
		fmt.Fprintf(w, "\nMails wait for key %s, which no `bascule work` has started with: start one with the SECRET_KEY of whoever imports\n", key)
	}
}

// slowRelay is after how long a relay that does not answer is told of.
const slowRelay = 10 * time.Second

// whyStill tells why mails to send stand still; "" while they go out, or if it is not known.
func whyStill(s sql.Status) string {
	why := s.Standstill
	switch {
	case why.NoWorker:
		return "no worker is alive: start `bascule work`"
	case why.Trouble != "":
		return "Redis is of no use to `work`: " + why.Trouble
	case s.Breaker != "":
		return ""
	case why.Handed > slowRelay:
		return fmt.Sprintf("the relay has had a mail for %s without an answer, unless the log of `work` tells of PostgreSQL", why.Handed)
	case why.NextAt.IsZero():
		return ""
	case why.Refusal != "":
		return fmt.Sprintf("the next one is tried %s, as the relay put it off: %s", ParisTime(why.NextAt), why.Refusal)
	}
	return fmt.Sprintf("the next one is due %s", ParisTime(why.NextAt))
}

// writeStates tells how many requests are in each state.
func writeStates(w io.Writer, c sql.Counts) {
	states, total := c.States(), 0
	for _, n := range states {
		total += n
	}
	for _, state := range conversion.States() {
		fmt.Fprintf(w, "%10d  %s\n", states[state], withShare(string(state), states[state], total))
	}
	fmt.Fprintf(w, "%10d  total\n", total)
	if c.NotDelivered > 0 {
		fmt.Fprintf(w, "%10d  of the expired were not delivered in time\n", c.NotDelivered)
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
