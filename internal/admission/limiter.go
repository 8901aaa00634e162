package admission

import (
	"context"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// Failures are counted, successes never: an office may activate thousands of spaces
// from one address. A visitor who fails too often waits. The same subscriber at another
// network does not.
var (
	// perLine stops a search through addresses.
	perLine = sql.Limit{Burst: 60, Every: 5 * time.Second}
	// PerAddress stops a search through the secrets of one address.
	PerAddress = sql.Limit{Burst: 10, Every: 3 * time.Minute}
)

// A Limiter counts failures in token buckets. They are in the database, so the limits
// hold for all processes together, by the clock of the database. The name of a bucket
// is a keyed hash, so the database holds nobody's address (I6). A Limiter is safe for
// concurrent use.
type Limiter struct {
	db      *sql.DB
	keys    *conversion.Keyring
	guesses KeyedMutex[string] // by the name of a bucket
}

// NewLimiter returns the limiter whose buckets are in db.
func NewLimiter(db *sql.DB, keys *conversion.Keyring) *Limiter { return &Limiter{db: db, keys: keys} }

// Bucket is the bucket of a name, which may have several parts.
func (l *Limiter) Bucket(limit sql.Limit, name ...string) sql.Bucket {
	return sql.Bucket{Name: l.keys.Bucket(name...), Limit: limit}
}

// ByClient is the bucket of a client at a form: 60 failures at once, then one each
// five seconds. Each form has buckets of its own, so that trying passwords blocks
// no code.
func (l *Limiter) ByClient(form string, c Client) sql.Bucket {
	return l.Bucket(perLine, form+" client", c.line().String())
}

// ByAddress are the bucket of a client at a form, and its bucket there for one e-mail
// address (PerAddress).
func (l *Limiter) ByAddress(form string, c Client, email conversion.Email) []sql.Bucket {
	return []sql.Bucket{l.ByClient(form, c), l.Bucket(PerAddress, form+" client and address", c.line().String(), email.Key())}
}

// Wait returns *Throttled if one of the buckets is full.
func (l *Limiter) Wait(ctx context.Context, buckets ...sql.Bucket) error {
	waits, err := l.db.Throttled(ctx, buckets...)
	if wait := longest(waits); err == nil && wait > 0 {
		err = &Throttled{wait}
	}
	return err
}

// Count adds one failure to each of the buckets.
func (l *Limiter) Count(ctx context.Context, buckets ...sql.Bucket) error {
	return l.db.CountFailure(ctx, buckets...)
}

func longest(waits []time.Duration) (l time.Duration) {
	for _, w := range waits {
		l = max(l, w)
	}
	return l
}
