-- Request $1, which is locked, as it stands now.
SELECT r.id, request_state(r, clock.now) AS state, request_current(r) AS generation, clock.now AS now,
       coalesce((SELECT c.resends FROM code c WHERE c.request_id = r.id AND c.generation = request_current(r)), 0) AS resends,
       code_left_alone(r, clock.now) AS left_alone
FROM request r, (SELECT bascule_now() AS now) AS clock
WHERE r.id = $1
