-- Lists the workers that did not stop, with the nanoseconds of their silence, the latest sign of life first.
SELECT version, texts, trouble, (greatest(extract(epoch FROM (SELECT bascule_now()) - seen_at), 0) * 1000000000)::bigint AS silent
FROM worker ORDER BY seen_at DESC
