-- Fills bucket $1, which leaks one each $2 seconds and holds $3.
INSERT INTO throttle (bucket, empty_at)
VALUES ($1, (SELECT bascule_now()) + make_interval(secs => $2::float8 * $3::int))
ON CONFLICT (bucket) DO UPDATE SET empty_at = excluded.empty_at
