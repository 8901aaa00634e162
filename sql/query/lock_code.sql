-- Waits for the lock on the code of request $1, generation $2. A later statement reads the clock.
SELECT request_id FROM code WHERE request_id = $1 AND generation = $2 FOR UPDATE
