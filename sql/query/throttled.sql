-- Tells how many nanoseconds each of the buckets $1 takes no attempt for; it leaks one each $2 seconds and holds $3.
SELECT (greatest(0, extract(epoch FROM t.empty_at - (SELECT bascule_now())) - (i.burst - 1) * i.every) * 1000000000)::bigint
FROM unnest($1::bytea[], $2::float8[], $3::int[]) WITH ORDINALITY AS i (bucket, every, burst, place)
LEFT JOIN throttle t ON t.bucket = i.bucket
ORDER BY i.place
