-- Locks campaign $1 if it may release invitations now, and nobody else does.
SELECT id, name, coalesce(starts_at, 'epoch') AS starts_at, coalesce(pilot, 0) AS pilot,
       coalesce(per_day, 0) AS per_day, coalesce(min_help, 0) AS min_help, again
FROM campaign WHERE id = $1 AND state = 'running' AND (starts_at IS NULL OR starts_at <= (SELECT bascule_now())) FOR NO KEY UPDATE SKIP LOCKED
