-- New requests after the requests $1, where nothing has come in the way meanwhile (D10). $2 same address, $3 named, $4 key id, $5 actor.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), opened AS (
    INSERT INTO request (space_id, batch_id, origin, requested_at)
    SELECT s.id, r.batch_id, 'retry', clock.now
    FROM unnest($1::bigint[]) AS chosen (id) JOIN request_code r ON r.id = chosen.id JOIN space s ON s.id = r.space_id, clock
    WHERE retry_obstacle(r, s, clock.now, $2, $3) = ''
      AND NOT EXISTS (SELECT FROM request newer WHERE newer.space_id = r.space_id AND newer.id > r.id)
    ORDER BY s.id
    ON CONFLICT DO NOTHING
    RETURNING id, space_id, generation
), made AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
    SELECT o.id, o.generation, 'identify', s.contact_email, s.contact_key, $4, uuid_send(gen_random_uuid())
    FROM opened o JOIN space s ON s.id = o.space_id
), due AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at)
    SELECT 'bulk', 'code', space_id, id, generation, clock.now FROM opened, clock
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, space_id, id, 'requested', $5, 'retry' FROM opened, clock
