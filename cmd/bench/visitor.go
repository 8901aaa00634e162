package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"bascule/internal/devenv"
)

// A visitor is one subscriber's browser.
type visitor struct{ devenv.Visitor }

// serve starts the pages.
func (s *site) serve(ctx context.Context) (visitor, *process, error) {
	addr, err := closedPort() // the product takes a port, not "any"
	if err != nil {
		return visitor{}, nil, err
	}
	u := &url.URL{Scheme: "http", Host: addr}
	p, err := s.start(ctx, `"listening"`, []string{"LISTEN_ADDR=" + u.Host, "PUBLIC_URL=" + u.String()}, "serve")
	return visitor{devenv.Visitor{HTTP: &http.Client{Timeout: time.Minute}, Public: u}}, p, err
}

// prove types in a code. It returns the name of the form that asks for identifiers.
func (v visitor) prove(ctx context.Context, l letter) (submission string, err error) {
	page, err := v.insist(ctx, l.Form())
	return devenv.Field(page, "submission"), err
}

// choose sends the identifiers, with an address that may be another one.
func (v visitor) choose(ctx context.Context, l letter, submission, email string) error {
	_, err := v.insist(ctx, l.Identifiers(submission, email))
	return err
}

// activate plays a subscriber who keeps the address.
func (v visitor) activate(ctx context.Context, l letter) error {
	submission, err := v.prove(ctx, l)
	if err != nil {
		return err
	}
	return v.choose(ctx, l, submission, l.Email)
}

// insist returns an error for any answer but a page that goes on.
func (v visitor) insist(ctx context.Context, form url.Values) (page string, err error) {
	page, status, err := v.Insist(ctx, form)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the pages answer %d", status)
	}
	return page, err
}

// crowd lets some visitors do something with letters, each at least once, until there
// are no letters or enough says so. It returns how many milliseconds each took.
func crowd(ctx context.Context, visitors int, letters []letter, enough func() bool, do func(context.Context, letter) (time.Duration, error)) (took []float64, err error) {
	queue := make(chan letter, len(letters))
	for _, l := range letters {
		queue <- l
	}
	close(queue)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for range visitors {
		group.Go(func() error {
			for l := range queue {
				d, err := do(ctx, l)
				if err != nil {
					return err
				}
				mu.Lock()
				took = append(took, d.Seconds()*1000)
				mu.Unlock()
				if enough() || ctx.Err() != nil {
					return nil
				}
			}
			return nil
		})
	}
	err = group.Wait()
	return took, err
}

func never() bool { return false }

// timed measures one activation.
func (v visitor) timed(ctx context.Context, l letter) (time.Duration, error) {
	began := time.Now()
	err := v.activate(ctx, l)
	return time.Since(began), err
}

// invite imports a list of so many people and mails their codes. It returns one letter
// for each address, so that no two visitors want the same. env is the worker's
// environment.
func (s *site) invite(ctx context.Context, people int, seed int64, env ...string) (letters []letter, accepted int, err error) {
	before, err := s.sink.tally(ctx)
	if err != nil {
		return nil, 0, err
	}
	in, err := s.importList(ctx, people, seed, csvList)
	if err != nil {
		return nil, 0, err
	}
	if err := s.mailAll(ctx, before.answered()+in.Accepted, env); err != nil {
		return nil, 0, err
	}
	all, err := s.sink.letters(ctx)
	known := make(map[string]bool)
	for _, l := range all {
		if !known[l.Email] {
			letters = append(letters, l)
		}
		known[l.Email] = true
	}
	return letters, in.Accepted, err
}

// prepareLimit is how long the preparation of a measurement may take.
const prepareLimit = 30 * time.Minute

// mailAll runs a worker until the sink has answered so many mails, and stops it.
func (s *site) mailAll(ctx context.Context, n int, env []string) error {
	p, err := s.work(ctx, env...)
	if err != nil {
		return err
	}
	t, err := s.sink.awaitAnswers(ctx, n, prepareLimit)
	if err != nil {
		return err
	}
	if t.answered() < n {
		return fmt.Errorf("only %d of %d mails within %s", t.answered(), n, prepareLimit)
	}
	return p.stop()
}
