-- Locks the latest request of the space with number $1. What it says is read afterwards, in a statement of its own.
SELECT r.id
FROM request r JOIN space s ON s.id = r.space_id
WHERE s.number = $1
ORDER BY r.id DESC
LIMIT 1
FOR UPDATE OF r
