-- Opens the requests of new spaces, for batch $1. Nobody else knows these yet.
INSERT INTO request (id, space_id, batch_id, origin, requested_at) OVERRIDING SYSTEM VALUE
SELECT request_id, space_id, $1, 'import', clock.now
FROM judged, (SELECT bascule_now() AS now) AS clock
WHERE verdict = 'accepted' AND action = 'new'
