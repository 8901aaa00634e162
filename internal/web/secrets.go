package web

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"bascule/internal/conversion"
	"bascule/sql"
)

// hashing runs f in a hashing slot. It returns admission.ErrOverload, or ctx's error.
func (s *Server) hashing(ctx context.Context, f func()) error {
	release, err := s.hashes.Acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	defer prometheus.NewTimer(s.metrics.hashing).ObserveDuration()
	f()
	return nil
}

// credentials waits for a hashing slot. The returned function hashes once, and then
// gives the slot back; release gives it back in any case. It returns
// admission.ErrOverload, or ctx's error.
func (s *Server) credentials(ctx context.Context, i identifiers) (hash func() (sql.Credentials, error), release func(), err error) {
	if release, err = s.hashes.Acquire(ctx); err != nil {
		return nil, nil, err
	}
	return sync.OnceValues(func() (sql.Credentials, error) {
		defer release()
		defer prometheus.NewTimer(s.metrics.hashing).ObserveDuration()
		return i.hash(), nil
	}), release, nil
}

// identifier finds the password space of an address. If there is none, it returns a
// decoy for the comparison of secrets.
func (s *Server) identifier(ctx context.Context, email conversion.Email) (found sql.Identifier, known bool, err error) {
	blind := decoy() // made for a known address, too: the first unknown one must not take longer
	found, err = s.cfg.DB.FindIdentifier(ctx, email)
	if errors.Is(err, conversion.ErrNotFound) {
		return sql.Identifier{Password: blind, Answer: blind}, false, nil
	}
	return found, err == nil, err
}

// decoy is the hash of a secret that nobody knows, made once in each process. Comparing
// with it takes the time of any other.
var decoy = sync.OnceValue(func() conversion.Hash {
	secret, err := conversion.ParseTrustAnswer(newToken())
	if err != nil {
		panic(err) // cannot happen: a token has letters and digits
	}
	return secret.Hash()
})

// refusedNoted bounds the entries of wrong secrets in the audit log. A visitor who
// mistypes a few times finds each of them there; one who guesses without end does not
// fill it.
var refusedNoted = sql.Limit{Burst: 10, Every: time.Hour}

func (s *Server) noteRefused(ctx context.Context, email conversion.Email, what sql.Refusal) error {
	return s.cfg.DB.NoteRefused(ctx, email, what, s.limiter.Bucket(refusedNoted, "noted refusals", email.Key()))
}

// beat is longer than an answer takes on an idle server.
const beat = 250 * time.Millisecond

// onTheBeat waits until a whole number of beats after the start. So the time of an
// answer does not tell what was written to the database: a mail that is due takes a few
// milliseconds more than none.
func onTheBeat(ctx context.Context, start time.Time) {
	select {
	case <-time.After(beat - time.Since(start)%beat):
	case <-ctx.Done():
	}
}
