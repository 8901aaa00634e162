-- Locks the requests $1, in the order in which all who lock several do.
SELECT id FROM request WHERE id = ANY ($1) ORDER BY id FOR UPDATE
