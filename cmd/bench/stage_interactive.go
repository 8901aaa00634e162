package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Within this time the relay has 99 of 100 interactive mails.
const interactiveLimit = 1000 // ms

// The limited rate is so slow that the list is not through before all interactive mails
// are.
const interactiveRate = 200 // mails a second

// visitorsAtATime is how many subscribers choose another address at once while the list
// goes out.
const visitorsAtATime = 2

// interactiveStage lets subscribers choose another address and wait for its code, while
// the codes of a list go out.
func interactiveStage(ctx context.Context, b *bench) (lines []*line, err error) {
	for _, variant := range []struct {
		name string
		env  []string
	}{
		{"while a list goes out", nil},
		{fmt.Sprintf("with MAIL_RATE=%d", interactiveRate), []string{fmt.Sprintf("MAIL_RATE=%d", interactiveRate)}},
	} {
		took, d, err := b.interactOnce(ctx, variant.env)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", variant.name, err)
		}
		middle := limit(variant.name+", p50", "ms", b.rows, percentile(took, 0.5), interactiveLimit)
		last := limit(variant.name+", p99", "ms", b.rows, percentile(took, 0.99), interactiveLimit)
		middle.Goal, last.Detail = 0, d
		last.Note = fmt.Sprintf("of %d", len(took))
		lines = append(lines, middle, last)
	}
	return lines, nil
}

func (b *bench) interactOnce(ctx context.Context, env []string) (took []float64, d *detail, err error) {
	s, err := b.newSite(ctx, false, faults{Keep: b.activations()})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	letters, accepted, err := s.invite(ctx, b.activations(), 2)
	if err != nil {
		return nil, nil, err
	}
	v, pages, err := s.serve(ctx)
	if err != nil {
		return nil, nil, err
	}
	worker, err := s.work(ctx, env...)
	if err != nil {
		return nil, nil, err
	}
	in, err := s.importList(ctx, b.rows, 1, csvList)
	if err != nil {
		return nil, nil, err
	}
	m, err := s.meter(ctx, pages, worker, b.sink.process)
	if err != nil {
		return nil, nil, err
	}
	if took, err = crowd(ctx, visitorsAtATime, letters, b.sink.through(ctx, accepted+in.Accepted), v.another(b.sink)); err != nil {
		return nil, nil, err
	}
	if d, err = m.read(ctx, len(took)); err != nil {
		return nil, nil, err
	}
	if err := s.stop(); err != nil {
		return nil, nil, err
	}
	d.Ledger, err = s.ledger(ctx, accepted+in.Accepted)
	return took, d, err
}

// through tells whether the sink has answered so many mails.
func (s *sinkProcess) through(ctx context.Context, n int) func() bool {
	return func() bool {
		t, err := s.tally(ctx)
		return err == nil && t.answered() >= n
	}
}

// another chooses another address. It measures the time from the form to the sink's
// answer to the mail with the code.
func (v visitor) another(sink *sinkProcess) func(context.Context, letter) (time.Duration, error) {
	return func(ctx context.Context, l letter) (time.Duration, error) {
		submission, err := v.prove(ctx, l)
		if err != nil {
			return 0, err
		}
		to := fmt.Sprintf("a%x@%s", time.Now().UnixNano(), watchedDomain)
		began := time.Now()
		if err := v.choose(ctx, l, submission, to); err != nil {
			return 0, err
		}
		mail, err := sink.await(ctx, to)
		return mail.At.Sub(began), err
	}
}
