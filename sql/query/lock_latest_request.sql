-- Locks the latest request of the space with number $1. A later statement reads the request.
SELECT r.id
FROM request r JOIN space s ON s.id = r.space_id
WHERE s.number = $1
ORDER BY r.id DESC
LIMIT 1
FOR UPDATE OF r
