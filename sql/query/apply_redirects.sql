-- Gives open requests without credentials another code, for another contact address; the old code is dead (D9). $1 is the
-- batch, $2 the actor; $3 tells whether somebody named the number (D16).
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), old AS (
    UPDATE code c SET void_at = clock.now
    FROM judged j JOIN staged s USING (line) JOIN request r ON r.id = j.request_id, clock
    WHERE j.verdict = 'accepted' AND j.action = 'redirect' AND request_is_open(r) AND r.password_hash IS NULL
      AND c.request_id = r.id AND c.void_at IS NULL
    RETURNING c.request_id, c.key_id, s.email, s.email_key, s.nonce, s.priority, s.expires
), redirected AS (
    UPDATE request r
    SET generation = (SELECT max(c.generation) + 1 FROM code c WHERE c.request_id = r.id), batch_id = $1
    FROM old WHERE r.id = old.request_id
    RETURNING r.id, r.space_id, r.generation, r.campaign_id, old.key_id, old.email, old.email_key, old.nonce, old.priority, old.expires
), made AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
    SELECT id, generation, 'identify', email, email_key, key_id, nonce FROM redirected
), invited AS (
    INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires, not_before)
    SELECT id, generation, space_id, campaign_id, priority, expires, CASE WHEN NOT $3 THEN invited_until(space_id, email_key) END FROM redirected WHERE campaign_id IS NOT NULL
    ON CONFLICT (request_id) DO UPDATE SET generation = excluded.generation, priority = excluded.priority, expires = excluded.expires, not_before = excluded.not_before
), due AS ( -- a request of no campaign
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at)
    SELECT 'bulk', 'code', space_id, id, generation, clock.now FROM redirected, clock WHERE campaign_id IS NULL
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, space_id, id, 'address changed', $2, 'batch ' || $1::bigint FROM redirected, clock
