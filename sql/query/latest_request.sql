-- The latest request of the space with number $1, locked.
SELECT r.id, request_state(r, bascule_now()) AS state, request_current(r) AS generation, bascule_now() AS now,
       coalesce((SELECT c.resends FROM code c WHERE c.request_id = r.id AND c.generation = request_current(r)), 0) AS resends,
       code_left_alone(r, bascule_now()) AS left_alone
FROM request r JOIN space s ON s.id = r.space_id
WHERE s.number = $1
ORDER BY r.id DESC
LIMIT 1
FOR UPDATE OF r
