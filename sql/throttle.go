package sql

import (
	"context"
	_ "embed"
	"fmt"
	"time"
)

// A Limit is a leaky bucket: Burst failures at once, then one more each time
// Every has gone by.
type Limit struct {
	Burst int
	Every time.Duration
}

//go:embed query/throttled.sql
var throttled string

// Throttled tells how long a bucket refuses further attempts, 0 if it does not.
func (db *DB) Throttled(ctx context.Context, bucket []byte, l Limit) (time.Duration, error) {
	var seconds float64
	if err := db.x.GetContext(ctx, &seconds, throttled, bucket, l.Every.Seconds(), l.Burst); err != nil {
		return 0, fmt.Errorf("read a throttle: %w", err)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

//go:embed query/count_failure.sql
var countFailure string

// CountFailure adds one failed attempt to a bucket.
func (db *DB) CountFailure(ctx context.Context, bucket []byte, l Limit) error {
	if _, err := db.x.ExecContext(ctx, countFailure, bucket, l.Every.Seconds()); err != nil {
		return fmt.Errorf("count a failure: %w", busy(err))
	}
	return nil
}
