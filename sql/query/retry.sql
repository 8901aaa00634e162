-- New requests after the requests $1, where nothing has come in the way meanwhile (D10). $2 same address, $3 named, $4 key id, $5 actor.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), opened AS (
    INSERT INTO request (space_id, batch_id, origin, key_id, nonce, contact_email, contact_key, contact_generation, requested_at)
    SELECT s.id, r.batch_id, 'retry', $4, uuid_send(gen_random_uuid()), s.contact_email, s.contact_key, 1, clock.now
    FROM unnest($1::bigint[]) AS chosen (id) JOIN request r ON r.id = chosen.id JOIN space s ON s.id = r.space_id, clock
    WHERE retry_obstacle(r, s, clock.now, $2, $3) = ''
      AND NOT EXISTS (SELECT FROM request newer WHERE newer.space_id = r.space_id AND newer.id > r.id)
    ORDER BY s.id
    ON CONFLICT DO NOTHING
    RETURNING id, space_id
), due AS (
    INSERT INTO obligation (lane, kind, request_id, generation, due_at)
    SELECT 'bulk', 'code', id, 1, clock.now FROM opened, clock
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, space_id, id, 'requested', $5, 'retry' FROM opened, clock
