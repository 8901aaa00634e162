package main

import (
	"context"
)

// The goal of `bascule status`, and how often the stage asks it.
const (
	statusLimit = 50 // ms
	statusAsked = 5
)

// statusStage asks for the status of a list right after its import.
func statusStage(ctx context.Context, s *site) (lines []*line, err error) {
	in, err := s.importList(ctx, s.rows, 1, csvList)
	if err != nil {
		return nil, err
	}
	m, err := s.meter(ctx)
	if err != nil {
		return nil, err
	}
	l := limit("status --json", "ms", s.rows, 0, statusLimit)
	l.Product = nil
	bare := &line{Name: "of which to start the program", Rows: s.rows, Unit: "ms", Reference: l.Reference, Against: "the limit", Limit: true}
	for range statusAsked {
		p, err := s.run(ctx, "status", "--json")
		if err != nil {
			return nil, err
		}
		m.add(p)
		l.Product = append(l.Product, p.took.Seconds()*1000)
		if p, err = s.run(ctx, "version"); err != nil {
			return nil, err
		}
		bare.Product = append(bare.Product, p.took.Seconds()*1000)
	}
	if l.Detail, err = m.read(ctx, statusAsked); err != nil {
		return nil, err
	}
	l.Detail.Ledger, err = s.ledger(ctx, in.Accepted)
	return []*line{l, bare}, err
}
