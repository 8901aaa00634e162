-- Locks the requests $1, in the order of every statement that locks several.
SELECT id FROM request WHERE id = ANY ($1) ORDER BY id FOR UPDATE
