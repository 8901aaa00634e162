-- The reference of the expiry: one statement that ends the same requests as the sweeps
-- and writes the same audit, but plans no mail.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), expired AS (
    UPDATE request r
    SET expired_at = clock.now, password_hash = NULL, question = NULL, answer_hash = NULL
    FROM clock, code c
    WHERE request_is_open(r) AND c.request_id = r.id AND c.generation = r.generation AND c.expires_at <= clock.now
    RETURNING r.id, r.space_id
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, space_id, id, 'expired', 'worker', 'deadline' FROM expired, clock
