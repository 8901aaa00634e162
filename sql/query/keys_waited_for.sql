-- The keys that no worker has started with, although mails with their codes are due.
SELECT k.id FROM key k
WHERE k.worker_at IS NULL AND EXISTS (
    SELECT FROM obligation o, LATERAL (SELECT * FROM code c WHERE c.request_id = o.request_id AND c.generation = o.generation LIMIT 1) AS c
    WHERE o.lane IN ('interactive', 'bulk') AND o.kind IN ('code', 'reset') AND c.key_id = k.id)
ORDER BY k.known_at, k.id
