-- Adds one attempt to bucket $1, which leaks one each $2 seconds.
INSERT INTO throttle AS t (bucket, empty_at)
VALUES ($1, (SELECT bascule_now()) + make_interval(secs => $2))
ON CONFLICT (bucket) DO UPDATE
SET empty_at = greatest(t.empty_at, (SELECT bascule_now())) + make_interval(secs => $2)
