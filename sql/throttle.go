package sql

import (
	"context"
	_ "embed"
	"fmt"
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
func (db *DB) Throttled(ctx context.Context, buckets ...Bucket) ([]time.Duration, error) {
	names, every, bursts := bucketArrays(buckets)
	var seconds []float64
	if err := db.x.SelectContext(ctx, &seconds, throttled, names, every, bursts); err != nil {
		return nil, fmt.Errorf("read throttles: %w", err)
	}
	waits := make([]time.Duration, len(seconds))
	for i, s := range seconds {
		waits[i] = time.Duration(s * float64(time.Second))
	}
	return waits, nil
}

//go:embed query/count_failure.sql
var countFailure string

// CountFailure adds one failed attempt to each bucket.
func (db *DB) CountFailure(ctx context.Context, buckets ...Bucket) error {
	names, every, _ := bucketArrays(buckets)
	if _, err := db.x.ExecContext(ctx, countFailure, names, every); err != nil {
		return fmt.Errorf("count a failure: %w", busy(err))
	}
	return nil
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
	if _, err := db.x.ExecContext(ctx, fillBucket, b.Name, b.Every.Seconds(), b.Burst); err != nil {
		return fmt.Errorf("fill a throttle: %w", busy(err))
	}
	return nil
}
