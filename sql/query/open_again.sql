-- Opens further requests of known spaces, for batch $1, as judged in round $2, but none where another one was opened since.
INSERT INTO request (id, space_id, batch_id, origin, requested_at) OVERRIDING SYSTEM VALUE
SELECT request_id, space_id, $1, 'import', clock.now
FROM judged, (SELECT bascule_now() AS now) AS clock
WHERE round = $2 AND verdict = 'accepted' AND action = 'restart'
ORDER BY line
ON CONFLICT DO NOTHING
