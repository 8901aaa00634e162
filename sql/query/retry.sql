-- New requests for certificate spaces whose latest request, of batch $1 or any where it is 0, came to nothing (D10).
-- Refused and bounced addresses are tried again only where they changed, or where $2 says so. $3 key id, $4 actor.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), latest AS (
    SELECT DISTINCT ON (r.space_id) r.space_id, r.batch_id, request_state(r, clock.now) AS state, r.bounced_at,
           coalesce(r.chosen_key, r.contact_key) AS mailed_key
    FROM request r, clock
    ORDER BY r.space_id, r.id DESC
), opened AS (
    INSERT INTO request (space_id, batch_id, origin, key_id, nonce, contact_email, contact_key, contact_generation, requested_at)
    SELECT s.id, l.batch_id, 'retry', $3, uuid_send(gen_random_uuid()), s.contact_email, s.contact_key, 1, clock.now
    FROM latest l JOIN space s ON s.id = l.space_id, clock
    WHERE s.access = 'certificate' AND ($1 = 0 OR l.batch_id = $1)
      AND (l.state = 'expired' AND l.bounced_at IS NULL
           OR (l.state = 'undeliverable' OR l.state = 'expired') AND ($2 OR l.mailed_key <> s.contact_key))
    ORDER BY s.id
    ON CONFLICT DO NOTHING
    RETURNING id, space_id
), due AS (
    INSERT INTO obligation (lane, kind, request_id, generation, due_at)
    SELECT 'bulk', 'code', id, 1, clock.now FROM opened, clock
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, space_id, id, 'requested', $4, 'retry' FROM opened, clock
