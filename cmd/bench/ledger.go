package main

import (
	"context"
	"fmt"
)

// An entry of the ledger compares two counts of the same thing, from two places.
type entry struct {
	What string
	Want int
	Got  int
	Most bool // Got may be less than Want
}

func (e entry) balanced() bool { return e.Got == e.Want || e.Most && e.Got <= e.Want }

func (e entry) String() string {
	sign := "="
	if e.Most {
		sign = "≤"
	}
	text := fmt.Sprintf("%s: %d %s %d", e.What, e.Got, sign, e.Want)
	if !e.balanced() {
		text += " DOES NOT BALANCE"
	}
	return text
}

// ledger checks invariants that hold whenever nobody works. Each accepted row is a
// request in one state. The audit log tells each mail that the sink took once, and each
// transition once.
func (s *site) ledger(ctx context.Context, accepted int) ([]entry, error) {
	st, err := s.status(ctx)
	if err != nil {
		return nil, err
	}
	mails, err := s.sink.tally(ctx)
	if err != nil {
		return nil, err
	}
	events, err := s.events(ctx)
	if err != nil {
		return nil, err
	}
	doubts, err := s.db.count(ctx, `SELECT count(*) FROM audit WHERE why = 'in doubt'`)
	if err != nil {
		return nil, err
	}
	distinct := 0
	for _, n := range mails.Distinct {
		distinct += n
	}
	all := 0
	for _, n := range st.States() {
		all += n
	}
	codes := mails.Distinct[codeKind]
	return []entry{
		{What: "requests in all states are the accepted rows", Want: accepted, Got: all},
		{What: "audited requests are the accepted rows", Want: accepted, Got: events["requested"]},
		{What: "audited first mails are the code mails in the sink", Want: codes, Got: events["mailed"]},
		{What: "mails in the sink beyond the first of a Message-ID", Want: doubts, Got: mails.Mails - distinct, Most: true},
		{What: "audited undeliverable ones are those of the status", Want: st.Undeliverable, Got: events["undeliverable"]},
		{What: "undeliverable ones were refused by the sink", Want: mails.Refused, Got: st.Undeliverable, Most: true},
		{What: "audited activations are those of the status", Want: st.Activated, Got: events["activated"]},
		{What: "audited expiries are those of the status", Want: st.Expired, Got: events["expired"]},
	}, nil
}

// events counts the rows of the audit log by event.
func (s *site) events(ctx context.Context) (map[string]int, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT event, count(*) FROM audit GROUP BY event`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := make(map[string]int)
	for rows.Next() {
		var event string
		var n int
		if err := rows.Scan(&event, &n); err != nil {
			return nil, err
		}
		counts[event] = n
	}
	return counts, rows.Err()
}
