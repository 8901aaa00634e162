-- Waits for the locks on the requests $1, in the order of every statement that locks several. A later statement reads the
-- requests: one that waited for a lock sees the old clock and the old code.
SELECT id FROM request WHERE id = ANY ($1) ORDER BY id FOR UPDATE
