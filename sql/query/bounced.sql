-- The mail with the code of request $1, generation $2, came back (D11): shown, and its address is free again (D3). The code still works.
WITH bounced AS (
    UPDATE request r SET bounced_at = (SELECT bascule_now())
    WHERE r.id = $1 AND request_current(r) = $2 AND r.bounced_at IS NULL AND r.activated_at IS NULL AND r.started_at IS NOT NULL
    RETURNING r.id, r.space_id, r.bounced_at
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT bounced_at, space_id, id, 'bounced', 'worker', 'signed return path' FROM bounced
