-- The workers that did not stop, the one that was heard of last first, and for how many seconds each has been silent.
SELECT version, texts, greatest(extract(epoch FROM (SELECT bascule_now()) - seen_at), 0)::float8 AS silent
FROM worker ORDER BY seen_at DESC
