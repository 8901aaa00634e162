-- Makes the mails of these codes due, in the order of the file. $1 is the round.
INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at)
SELECT 'bulk', 'code', space_id, request_id, 1, clock.now
FROM judged, (SELECT bascule_now() AS now) AS clock
WHERE round = $1 AND verdict = 'accepted' AND action IN ('new', 'restart')
ORDER BY request_id
