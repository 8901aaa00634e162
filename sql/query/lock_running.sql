-- Locks campaign $1 if it is running and nobody else releases its invitations.
SELECT id, coalesce(pilot, 0) AS pilot, coalesce(per_day, 0) AS per_day, coalesce(min_help, 0) AS min_help
FROM campaign WHERE id = $1 AND state = 'running' FOR NO KEY UPDATE SKIP LOCKED
