-- Another contact address while a request without credentials is open: a new generation, the old code is dead (D9). $1 batch, $2 actor.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), redirected AS (
    UPDATE request r
    SET generation = r.generation + 1, contact_generation = r.generation + 1, batch_id = $1,
        contact_email = s.email, contact_key = s.email_key,
        started_at = NULL, expires_at = NULL, mailed_at = NULL, bounced_at = NULL, bounce = NULL, in_doubt = false, refusal = ''
    FROM staged s
    WHERE r.id = s.request_id AND s.verdict = 'accepted' AND s.action = 'redirect' AND request_is_open(r) AND r.chosen_key IS NULL
    RETURNING r.id, r.space_id, r.generation
), due AS (
    INSERT INTO obligation (lane, kind, request_id, generation, due_at)
    SELECT 'bulk', 'code', id, generation, clock.now FROM redirected, clock
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, space_id, id, 'address changed', $2, 'batch ' || $1::bigint FROM redirected, clock
