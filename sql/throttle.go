package sql

import (
	"context"
	_ "embed"
	"time"

	"github.com/lib/pq"
)

// A Limit is a leaky bucket: it takes Burst failures at once, then one more after each
// Every.
type Limit struct {
	Burst int
	Every time.Duration
}

// A Bucket counts failures. Its name is a keyed hash (I6).
type Bucket struct {
	Name []byte
	Limit
}

//go:embed query/throttled.sql
var throttled string

// Throttled tells for each bucket how long it refuses further attempts; 0 if it does
// not.
func (db *DB) Throttled(ctx context.Context, buckets ...Bucket) (waits []time.Duration, err error) {
	names, every, bursts := bucketArrays(buckets)
	err = db.x.SelectContext(ctx, &waits, throttled, names, every, bursts)
	return waits, wrap(err, "read throttles")
}

//go:embed query/count_failure.sql
var countFailure string

// CountFailure adds one failed attempt to each bucket.
func (db *DB) CountFailure(ctx context.Context, buckets ...Bucket) error {
	names, every, _ := bucketArrays(buckets)
	return wrap(db.exec(ctx, countFailure, names, every), "count a failure")
}

func bucketArrays(buckets []Bucket) (names pq.ByteaArray, every pq.Float64Array, bursts pq.Int64Array) {
	for _, b := range buckets {
		names = append(names, b.Name)
		every = append(every, b.Every.Seconds())
		bursts = append(bursts, int64(b.Burst))
	}
	return names, every, bursts
}

//go:embed query/fill_bucket.sql
var fillBucket string

// FillBucket makes a bucket refuse for one Every from now, whatever it counted.
func (db *DB) FillBucket(ctx context.Context, b Bucket) error {
	return wrap(db.exec(ctx, fillBucket, b.Name, b.Every.Seconds(), b.Burst), "fill a throttle")
}
