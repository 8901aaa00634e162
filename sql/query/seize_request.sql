-- Locks request $1, then its codes, at once or not at all. A later statement reads them.
WITH held AS MATERIALIZED (
    SELECT id FROM request WHERE id = $1 FOR UPDATE NOWAIT
)
SELECT FROM code WHERE request_id = (SELECT id FROM held) FOR UPDATE NOWAIT
