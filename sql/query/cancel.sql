-- Ends those of the requests $1 that are open and not overdue, by $3 for reason $4. If $2, it ends only invitations whose code never
-- started: what a subscriber chose goes on (D12). A statement before locks the requests with their codes. Their codes are
-- dead from now on.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), cancelled AS (
    UPDATE request r SET cancelled_at = clock.now, password_hash = NULL, question = NULL, answer_hash = NULL
    FROM clock, request_code k
    WHERE k.id = ANY ($1) AND request_state(k, clock.now) IN ('requested', 'mailed') AND (NOT $2 OR k.started_at IS NULL AND k.purpose = 'identify') AND r.id = k.id
    RETURNING r.id, r.space_id
), released AS (
    DELETE FROM held h USING cancelled r WHERE h.request_id = r.id
), dead AS (
    UPDATE code c SET void_at = clock.now FROM cancelled r, clock WHERE c.request_id = r.id AND c.void_at IS NULL
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, space_id, id, 'cancelled', $3, $4 FROM cancelled, clock
