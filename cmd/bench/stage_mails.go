package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The goals of code mails.
const (
	mailsGoal    = 0.75 // of the rate of the sender alone
	faultsGoal   = 0.80 // of the rate without faults
	workersGoal  = 1.00 // of the rate of one worker
	embeddedGoal = 0.80 // of the rate with redis-server
	mailsMemory  = 100  // MB
	firstMail    = 2.0  // seconds after the end of the import
)

// A mailing is one way to send the code mails of a list.
type mailing struct {
	name      string
	workers   int
	during    bool     // the workers run during the import
	vacuum    bool     // autovacuum is on
	prepare   []string // statements between the import and the measurement
	faults    faults
	embedded  bool
	reference func(map[string]*line) []float64
	against   string
	goal      float64
}

// The names of mailings that serve as a reference for others.
const (
	rightAfter = "right after the import"
	analyzed   = "with statistics"
)

func (b *bench) mailings() []mailing {
	analyze := []string{vacuum}
	one := func(lines map[string]*line) []float64 { return lines[analyzed].Product }
	sender := b.sender().name
	return []mailing{
		{name: rightAfter, workers: 1, during: true, vacuum: true, against: sender, goal: mailsGoal},
		{name: "without statistics", workers: 1, prepare: forgetStatistics, against: sender, goal: mailsGoal},
		{name: analyzed, workers: 1, vacuum: true, prepare: analyze, against: sender, goal: mailsGoal},
		{name: "5 % 4xx, 2 % 5xx, 1 % slow", workers: 1, vacuum: true, prepare: analyze,
			faults: faults{Defer: 5, Refuse: 2, Slow: 1, Delay: b.slow}, reference: one, against: "without", goal: faultsGoal},
		{name: "two workers", workers: 2, vacuum: true, prepare: analyze, reference: one, against: "with one", goal: workersGoal},
		{name: "four workers", workers: 4, vacuum: true, prepare: analyze, reference: one, against: "with one", goal: workersGoal},
		{name: "embedded Redis", workers: 1, vacuum: true, prepare: analyze, embedded: true, reference: one, against: "with redis-server", goal: embeddedGoal},
	}
}

// mailsStage sends the code mails of a list in several ways. After each it sends the
// same bytes with a sender that does nothing else.
func mailsStage(ctx context.Context, b *bench) (list []*line, err error) {
	lines := make(map[string]*line)
	var first []float64
	var reference []float64
	for range b.repeat {
		for _, m := range b.mailings() {
			l := lines[m.name]
			if l == nil {
				l = &line{Name: m.name, Rows: b.rows, Unit: "mails/s", Against: m.against, Goal: m.goal}
				lines[m.name], list = l, append(list, l)
			}
			waited, err := b.mailOnce(ctx, m, l)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			if m.during {
				first = append(first, waited)
			}
			best, err := b.sendAlone(ctx)
			if err != nil {
				return nil, err
			}
			reference = append(reference, best)
		}
	}
	for _, m := range b.mailings() {
		lines[m.name].Reference = reference
		if m.reference != nil {
			lines[m.name].Reference = m.reference(lines)
		}
	}
	list = append(list, limit("first mail after the import", "s", b.rows, max(median(first), 0.001), firstMail))
	memory := limit("memory of work", "MB", b.rows, 0, mailsMemory)
	for _, l := range lines {
		memory.Product[0] = max(memory.Product[0], l.Detail.Memory["work"])
	}
	return append(list, memory), nil
}

// mailOnce imports a list and sends its mails. waited is the seconds from the end of
// the import to the first mail.
func (b *bench) mailOnce(ctx context.Context, m mailing, l *line) (waited float64, err error) {
	if err := b.autovacuum(ctx, m.vacuum); err != nil {
		return 0, err
	}
	s, err := b.newSite(ctx, m.embedded, m.faults)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	if m.during {
		if err := s.workers(ctx, m.workers); err != nil {
			return 0, err
		}
	}
	in, err := s.importList(ctx, b.rows, 1, csvList)
	if err != nil {
		return 0, err
	}
	imported := time.Now()
	if err := execute(ctx, s.db, m.prepare...); err != nil {
		return 0, err
	}
	meter, err := s.meter(ctx, append(s.services, b.sink.process)...)
	if err != nil {
		return 0, err
	}
	before, err := b.sink.tally(ctx) // some mails have gone out already if the workers ran
	if err != nil {
		return 0, err
	}
	if !m.during {
		if err := s.workers(ctx, m.workers); err != nil {
			return 0, err
		}
		for _, p := range s.services {
			meter.add(p)
		}
	}
	t, err := b.sink.awaitAnswers(ctx, in.Accepted, b.limit)
	if err != nil {
		return 0, err
	}
	sent := t.answered()
	if sent < in.Accepted {
		l.Note = fmt.Sprintf("only %d of %d mails within %s", sent, in.Accepted, b.limit)
	}
	if err := s.settle(ctx, t); err != nil {
		return 0, err
	}
	d, err := meter.read(ctx, sent-before.answered())
	if err != nil {
		return 0, err
	}
	if err := s.stop(); err != nil {
		return 0, err
	}
	l.Product = append(l.Product, t.rate())
	d.Ledger, err = s.ledger(ctx, in.Accepted)
	l.take(d)
	return t.First.Sub(imported).Seconds(), err
}

// workers starts some workers with the default number of slots.
func (s *site) workers(ctx context.Context, n int) error {
	for range n {
		if _, err := s.work(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tallyPoll is how often the bench asks the sink.
const tallyPoll = 50 * time.Millisecond

// awaitAnswers waits until the sink has answered so many mails, or until a limit.
func (s *sinkProcess) awaitAnswers(ctx context.Context, n int, limit time.Duration) (t tally, err error) {
	late := time.Now().Add(limit)
	for {
		t, err = s.tally(ctx)
		if err != nil || t.answered() >= n || time.Now().After(late) {
			return t, err
		}
		if err := soon(ctx, tallyPoll); err != nil {
			return t, err
		}
	}
}

// settleLimit is how long workers may take to record the mails that they sent.
const settleLimit = 20 * time.Second

// settle waits until the audit log tells as many mails as the sink has taken.
func (s *site) settle(ctx context.Context, t tally) error {
	late := time.Now().Add(settleLimit)
	for time.Now().Before(late) {
		n, err := s.db.count(ctx, `SELECT count(*) FROM audit WHERE event = 'mailed'`)
		if err != nil || n >= t.Distinct[codeKind] {
			return err
		}
		if err := soon(ctx, tallyPoll); err != nil {
			return err
		}
	}
	return nil // the ledger tells
}
