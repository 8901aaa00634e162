-- Tells whether form $2 is the one that request $1 took last.
SELECT coalesce(submission = $2::uuid, false) FROM request WHERE id = $1
