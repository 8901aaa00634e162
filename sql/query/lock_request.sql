-- Waits for the lock on request $1. What it says is read afterwards, in a
-- statement of its own: a waiter behind a lock would see the old clock and the old code.
SELECT id FROM request WHERE id = $1 FOR UPDATE
