-- Opens new requests after the requests $1, where nothing has come in the way meanwhile (D10). $2 is --same-address, $3
-- tells whether they were named, $4 is the key id, $5 the actor, $6 the reason, $7 their campaign; 0: each stays in the
-- campaign of the request before.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), opened AS (
    INSERT INTO request (space_id, batch_id, campaign_id, origin, requested_at)
    SELECT s.id, r.batch_id, coalesce(nullif($7, 0), r.campaign_id), 'retry', clock.now
    FROM unnest($1::bigint[]) AS chosen (id) JOIN request_code r ON r.id = chosen.id JOIN space s ON s.id = r.space_id, clock
    WHERE retry_obstacle(r, s, clock.now, $2, $3, $7 > 0) = ''
      AND NOT EXISTS (SELECT FROM request newer WHERE newer.space_id = r.space_id AND newer.id > r.id)
    ORDER BY s.id
    ON CONFLICT DO NOTHING
    RETURNING id, space_id, generation, campaign_id
), made AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
    SELECT o.id, o.generation, 'identify', s.contact_email, s.contact_key, $4, uuid_send(gen_random_uuid())
    FROM opened o JOIN space s ON s.id = o.space_id
), invited AS (
    INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires, not_before)
    SELECT o.id, o.generation, s.id, o.campaign_id, s.priority, s.certificate_expires, CASE WHEN NOT $3 THEN invited_until(s.id, s.contact_key) END
    FROM opened o JOIN space s ON s.id = o.space_id WHERE o.campaign_id IS NOT NULL
), due AS ( -- a request after the certificate holder's own is of no campaign
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at)
    SELECT 'bulk', 'code', space_id, id, generation, clock.now FROM opened, clock WHERE campaign_id IS NULL
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, space_id, id, 'requested', $5, $6 FROM opened, clock
