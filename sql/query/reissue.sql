-- Replaces the codes of open requests made with key $1 by ones made with key $2, by $3. A chosen address keeps its
-- credentials and gets a code of its own again; the contact code beside it is dead. What came back is forgotten, unless the
-- address would be reserved twice then: whose mail to it bounced has lost it to whoever asked for it since (R22).
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), superseded AS MATERIALIZED (
    SELECT r.id FROM request r
    WHERE r.key_id = $1 AND request_is_open(r) AND r.chosen_key IS NOT NULL AND r.bounce IS NOT NULL AND r.bounce <> 'late'
      AND EXISTS (SELECT FROM request o WHERE o.chosen_key = r.chosen_key AND o.id <> r.id AND request_is_open(o)
                  AND (o.bounce IS NULL OR o.bounce = 'late' OR o.id < r.id AND o.key_id = $1))
), reissued AS (
    UPDATE request r
    SET key_id = $2, nonce = uuid_send(gen_random_uuid()), generation = generation + 1,
        contact_generation = CASE WHEN chosen_key IS NULL THEN generation + 1 END,
        started_at = NULL, expires_at = NULL, mailed_at = NULL, in_doubt = false, refusal = '',
        bounced_at = CASE WHEN r.id IN (SELECT id FROM superseded) THEN bounced_at END,
        bounce = CASE WHEN r.id IN (SELECT id FROM superseded) THEN bounce END
    WHERE r.key_id = $1 AND request_is_open(r)
    RETURNING r.id, r.space_id, r.generation, r.chosen_key
), due AS (
    INSERT INTO obligation (lane, kind, request_id, generation, due_at)
    SELECT CASE WHEN chosen_key IS NULL THEN 'bulk' ELSE 'interactive' END, 'code', id, generation, clock.now FROM reissued, clock
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, space_id, id, 'code reissued', $3, 'key ' || $1::text FROM reissued, clock
