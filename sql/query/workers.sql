-- Lists the workers that did not stop, with the seconds of their silence, the latest sign of life first.
SELECT version, texts, greatest(extract(epoch FROM (SELECT bascule_now()) - seen_at), 0)::float8 AS silent
FROM worker ORDER BY seen_at DESC
