-- Locks request $1 at once or not at all. What it says is read afterwards, in a statement of its own.
SELECT id FROM request WHERE id = $1 FOR UPDATE NOWAIT
