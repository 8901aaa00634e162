package admission

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// The limits of guesses of all strangers together at one address, from however many
// networks.
var (
	// StrangersPasswords lets them try 288 passwords a day, after 30 at once. The
	// reserve doubles the 288 and adds reserveBurst. At that rate a search through the
	// hundred thousand likeliest passwords that the rules allow takes half a year. The
	// owner is told of it each day. One network has 29 of them a day, after 10 at once (R3).
	StrangersPasswords = sql.Limit{Burst: 30, Every: 5 * time.Minute}
	// StrangersAnswers lets them try 96 answers a day, after 20 at once. The reserve
	// adds as many again, after reserveBurst. One network has 10 of them a day, after
	// 10 at once. An answer is easier to guess than a password, and only a reader of
	// the mailbox learns the result. The limit must stop just this reader (R31).
	StrangersAnswers = sql.Limit{Burst: 20, Every: 15 * time.Minute}
)

const (
	// shareBurst forgives a network as many typing errors as PerAddress.
	shareBurst = 10
	// besiegers is how many times slower the share of one network refills than the
	// count of all strangers leaks. So many networks are needed to keep that count
	// full.
	besiegers = 10
	// reserveBurst is how many guesses networks without earlier failures may make while
	// the count of all strangers is full.
	reserveBurst = 200
)

// firstGuesses is the limit of each network in the reserve: a visitor who mistypes
// twice still gets in.
var firstGuesses = sql.Limit{Burst: 3, Every: 8 * time.Hour}

// share is the limit of one network in a bucket of all strangers.
func share(all sql.Limit) sql.Limit {
	return sql.Limit{Burst: shareBurst, Every: besiegers * all.Every}
}

// A Guard bounds the guesses at the secrets of one address. A visitor has a count of
// its own failures. Besides, all strangers share a count: it bounds a search from many
// networks, which would otherwise have the share of each. Strangers could fill that
// count to keep the owner out, so two ways lead past it. A network from which the space
// was entered before counts by itself alone. Other networks may take a few guesses each
// from a reserve. All of that is bounded: see docs/security.md.
type Guard struct {
	email   conversion.Email
	own     []sql.Bucket // of the visitor: while one is full, nothing is tried
	known   *sql.Bucket  // full if the space was entered from this network before
	crowd   *sql.Bucket  // of all strangers; nil if the visitor is none
	reserve []sql.Bucket // of networks that have not failed before, and of this one
}

// Own is a guard of these buckets alone, at least one.
func Own(buckets ...sql.Bucket) Guard { return Guard{own: buckets} }

// Stranger guards a form against visitors at a device that is not known. all is the
// limit of all strangers together. The share of a network takes the place of
// PerAddress, as it is stricter.
func (l *Limiter) Stranger(form string, c Client, email conversion.Email, all sql.Limit) Guard {
	network, key := c.network().String(), email.Key()
	known, crowd := l.knownNetwork(c, email), l.Bucket(all, form+" address", key)
	return Guard{
		email: email,
		own:   []sql.Bucket{l.ByClient(form, c), l.Bucket(share(all), form+" share", network, key)},
		known: &known,
		crowd: &crowd,
		reserve: []sql.Bucket{
			l.Bucket(firstGuesses, form+" first", network, key),
			l.Bucket(sql.Limit{Burst: reserveBurst, Every: all.Every}, form+" reserve", key),
		},
	}
}

// Split makes two guards of one: the visitor's own failures, and the count that all
// strangers share.
func (g Guard) Split() (own, shared Guard) {
	own = Own(g.own...)
	g.own = nil
	return own, g
}

// ErrWrong says that a secret was guessed wrong.
var ErrWrong = errors.New("wrong secret")

// Guess tries a secret, or returns *Throttled. It counts a try that returns ErrWrong,
// and returns its error. Guesses with the same bucket run one after the other, each from
// the look to the count. So no burst of guesses overfills the bucket and locks its owner
// out for hours; between processes a few may pass. A look before that keeps visitors who
// must wait anyway out of the queue. Guess also returns ErrOverload, or ctx's error.
func (l *Limiter) Guess(ctx context.Context, g Guard, try func() error) error {
	counts, err := l.look(ctx, g)
	if err != nil {
		return err
	}
	if len(counts) > 0 {
		unlock, _, err := l.guesses.Lock(ctx, string(g.lock(counts).Name))
		if err != nil {
			return err
		}
		defer unlock()
	}
	if counts, err = l.look(ctx, g); err != nil {
		return err
	}
	err = try()
	if errors.Is(err, ErrWrong) {
		err = cmp.Or(l.record(ctx, g, counts), err)
	}
	return err
}

// Admit counts an attempt, right or wrong. Or it counts none, and returns *Throttled.
func (l *Limiter) Admit(ctx context.Context, g Guard) error {
	err := l.Guess(ctx, g, func() error { return ErrWrong })
	if errors.Is(err, ErrWrong) {
		return nil
	}
	return err
}

// lock is the bucket that callers lock before they count in these. The count of all
// strangers and the reserve have one lock together: a caller that waited for the first
// may have to count in the other.
func (g Guard) lock(counts []sql.Bucket) sql.Bucket {
	if g.crowd != nil && len(counts) > len(g.own) {
		return *g.crowd
	}
	return counts[len(counts)-1]
}

// look finds the buckets in which a failure counts, or returns *Throttled.
func (l *Limiter) look(ctx context.Context, g Guard) ([]sql.Bucket, error) {
	if g.crowd == nil {
		return g.own, l.Wait(ctx, g.own...)
	}
	waits, err := l.db.Throttled(ctx, slices.Concat(g.own, []sql.Bucket{*g.known, *g.crowd}, g.reserve)...)
	if err != nil {
		return nil, err
	}
	return g.choose(waits)
}

// choose is look for a stranger, with the wait of each bucket in the order of the
// guard's fields.
func (g Guard) choose(waits []time.Duration) ([]sql.Bucket, error) {
	n := len(g.own)
	own, known, crowd, reserve := longest(waits[:n]), waits[n], waits[n+1], longest(waits[n+2:])
	switch {
	case own > 0:
		return nil, &Throttled{own}
	case known > 0:
		return g.own, nil
	case crowd == 0:
		return append(slices.Clip(g.own), *g.crowd), nil
	case reserve == 0:
		return slices.Concat(g.own, g.reserve), nil
	}
	return nil, &Throttled{min(crowd, reserve)}
}

// record adds a failure. It notes the siege of an address at which strangers have used
// up their count.
func (l *Limiter) record(ctx context.Context, g Guard, counts []sql.Bucket) error {
	if err := l.Count(ctx, counts...); err != nil || g.crowd == nil || len(counts) == len(g.own) {
		return err
	}
	err := l.Wait(ctx, *g.crowd)
	if _, full := errors.AsType[*Throttled](err); full {
		return l.db.NoteSiege(ctx, g.email)
	}
	return err
}
