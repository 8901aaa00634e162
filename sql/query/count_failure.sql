-- Adds one attempt to each of the buckets $1, which leak one each $2 seconds. Every such statement locks buckets in the
-- order of their names.
INSERT INTO throttle AS t (bucket, empty_at)
SELECT i.bucket, clock.now + make_interval(secs => i.every)
FROM unnest($1::bytea[], $2::float8[]) AS i (bucket, every), (SELECT bascule_now() AS now) AS clock
ORDER BY i.bucket
ON CONFLICT (bucket) DO UPDATE
SET empty_at = excluded.empty_at + greatest(interval '0', t.empty_at - (SELECT bascule_now()))
