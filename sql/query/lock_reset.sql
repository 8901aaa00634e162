-- Waits for the lock on reset $1, $2. The clock is read afterwards, in a statement of its own.
SELECT request_id FROM reset WHERE request_id = $1 AND generation = $2 FOR UPDATE
