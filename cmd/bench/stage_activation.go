package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/devenv"
)

const activationGoal = 0.95 // of the hashes alone

// The number of subscribers who activate is a share of the list, but no more than takes
// half a minute.
const (
	activationShare = 10
	maxActivations  = 400
)

func (b *bench) activations() int { return min(b.rows/activationShare, maxActivations) }

// activationStage lets subscribers activate through the pages, as fast as the pages
// allow. The reference is the two hashes that each activation costs.
func activationStage(ctx context.Context, s *site) (lines []*line, err error) {
	l := &line{Name: "with the address of the list", Rows: s.activations(), Unit: "/s", Against: "two Argon2id", Goal: activationGoal}
	letters, accepted, err := s.invite(ctx, s.activations(), 1)
	if err != nil {
		return nil, err
	}
	v, pages, err := s.serve(ctx)
	if err != nil {
		return nil, err
	}
	m, err := s.meter(ctx, pages)
	if err != nil {
		return nil, err
	}
	parts := 2 * s.repeat
	for i := range parts {
		part := letters[len(letters)*i/parts : len(letters)*(i+1)/parts]
		l.Reference = append(l.Reference, hashesAlone(len(part)))
		began := time.Now()
		if _, err := crowd(ctx, 2*cores(), part, never, v.timed); err != nil {
			return nil, err
		}
		l.Product = append(l.Product, float64(len(part))/time.Since(began).Seconds())
	}
	if l.Detail, err = m.read(ctx, len(letters)); err != nil {
		return nil, err
	}
	if l.Detail.Ledger, err = s.ledger(ctx, accepted); err != nil {
		return nil, err
	}
	st, err := s.status(ctx)
	l.Detail.Ledger = append(l.Detail.Ledger, entry{What: "activations are the forms that were taken", Want: len(letters), Got: st.Activated})
	return []*line{l}, err
}

// hashesAlone is how many times a second all cores together compute the two hashes of
// an activation.
func hashesAlone(n int) float64 {
	password, err := conversion.ParsePassword(devenv.VisitorPassword, conversion.ProfileFiche, "00000000")
	if err != nil {
		panic(err) // it is valid
	}
	var begun atomic.Int64
	began := time.Now()
	var group sync.WaitGroup
	for range cores() {
		group.Go(func() {
			for begun.Add(1) <= int64(n) {
				password.Hash()
				password.Hash()
			}
		})
	}
	group.Wait()
	return float64(n) / time.Since(began).Seconds()
}
