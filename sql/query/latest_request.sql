-- The latest request of the space with number $1, locked.
SELECT r.id, r.space_id, request_state(r, bascule_now()) AS state, request_current(r) AS generation, bascule_now() AS now
FROM request r JOIN space s ON s.id = r.space_id
WHERE s.number = $1
ORDER BY r.id DESC
LIMIT 1
FOR UPDATE OF r
