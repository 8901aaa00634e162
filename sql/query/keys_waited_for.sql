-- The keys that no worker has started with, although mails with their codes are due.
SELECT k.id FROM key k
WHERE k.worker_at IS NULL AND EXISTS (
    SELECT FROM obligation o
    JOIN request r ON r.id = o.request_id
    LEFT JOIN reset z ON z.request_id = o.request_id AND z.generation = o.generation AND o.kind = 'reset'
    WHERE o.lane IN ('interactive', 'bulk') AND o.kind IN ('code', 'reset') AND coalesce(z.key_id, r.key_id) = k.id)
ORDER BY k.known_at, k.id
