-- Reads request $1 as it stands now that it is locked.
SELECT r.id, request_state(r, clock.now) AS state, r.generation, clock.now AS now, r.resends, code_left_alone(r, clock.now) AS left_alone
FROM request_code r, (SELECT bascule_now() AS now) AS clock
WHERE r.id = $1
