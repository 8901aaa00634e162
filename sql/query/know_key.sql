-- Records that the database knows key $1, by its check value $2. $3 tells whether a worker has it.
INSERT INTO key (id, check_value, known_at, worker_at)
SELECT $1, $2, now, CASE WHEN $3 THEN now END FROM (SELECT bascule_now() AS now) AS clock
ON CONFLICT (id) DO UPDATE SET worker_at = coalesce(key.worker_at, excluded.worker_at)
