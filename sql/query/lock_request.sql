-- Waits for the lock on request $1. A later statement reads the request: one that waited for a lock sees the old clock and
-- the old code.
SELECT id FROM request WHERE id = $1 FOR UPDATE
