-- Enters into the audit log (I9) the requests that round $1 opened for batch $2, by $3.
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, space_id, request_id, 'requested', $3, 'batch ' || $2::bigint
FROM judged, (SELECT bascule_now() AS now) AS clock
WHERE round = $1 AND verdict = 'accepted' AND action IN ('new', 'restart')
