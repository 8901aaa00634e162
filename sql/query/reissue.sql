-- Replaces the codes of open requests made with key $1 by codes made with key $2, by $3. A chosen address keeps its
-- credentials and gets a code of its own again. The contact's code beside it is dead. A campaign that is over holds no new
-- code: it replaces one that was mailed, and goes out at once.
-- The bounce of the old code is forgotten, unless the address would then be reserved twice. An address whose mail bounced
-- may be another subscriber's since (R22).
-- Codes for a new password or identifier are dead, mailed or not: their owner asks again.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), leaked AS MATERIALIZED (
    SELECT r.id, r.generation, c.purpose, c.email, c.email_key, c.bounce, c.bounced_at,
           c.purpose = 'activate' AND c.bounce <> 'late' AND EXISTS (
               SELECT FROM code o WHERE o.email_key = c.email_key AND o.purpose = 'activate' AND o.request_id <> r.id AND o.void_at IS NULL
                 AND (o.bounce IS NULL OR o.bounce = 'late' OR o.request_id < r.id AND o.key_id = $1)) AS lost
    FROM request r JOIN code c ON c.request_id = r.id AND c.generation = r.generation
    WHERE request_is_open(r) AND EXISTS (SELECT FROM code k WHERE k.request_id = r.id AND k.key_id = $1 AND k.void_at IS NULL)
), reissued AS (
    UPDATE request r SET generation = (SELECT max(c.generation) + 1 FROM code c WHERE c.request_id = r.id)
    FROM leaked l WHERE r.id = l.id
    RETURNING r.id, r.space_id, r.generation, CASE WHEN campaign_is_open(r.campaign_id) THEN r.campaign_id END AS campaign_id
), dead AS (
    UPDATE code c SET void_at = clock.now
    FROM clock
    WHERE c.void_at IS NULL AND (c.request_id IN (SELECT id FROM reissued)
        OR c.key_id = $1 AND c.purpose IN ('reset', 'identifier') AND (c.expires_at IS NULL OR c.expires_at > clock.now))
    RETURNING c.request_id, c.generation, c.purpose
), made AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce, bounce, bounced_at)
    SELECT i.id, i.generation, l.purpose, l.email, l.email_key, $2, uuid_send(gen_random_uuid()),
           CASE WHEN l.lost THEN l.bounce END, CASE WHEN l.lost THEN l.bounced_at END
    FROM reissued i JOIN leaked l USING (id), (SELECT count(*) FROM dead) AS before -- the dead codes free their addresses first
), invited AS (
    INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires)
    SELECT i.id, i.generation, s.id, i.campaign_id, s.priority, s.certificate_expires
    FROM reissued i JOIN leaked l USING (id) JOIN space s ON s.id = i.space_id WHERE l.purpose = 'identify' AND i.campaign_id IS NOT NULL
    ON CONFLICT (request_id) DO UPDATE SET generation = excluded.generation
), due AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at)
    SELECT CASE l.purpose WHEN 'identify' THEN 'bulk' ELSE 'interactive' END, 'code', i.space_id, i.id, i.generation, clock.now
    FROM reissued i JOIN leaked l USING (id), clock WHERE l.purpose <> 'identify' OR i.campaign_id IS NULL
), unsent AS (
    DELETE FROM obligation o USING dead d
    WHERE o.kind IN ('reset', 'identifier') AND o.kind = d.purpose AND o.request_id = d.request_id AND o.generation = d.generation
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, space_id, id, 'code reissued', $3, 'key ' || $1::text FROM reissued, clock
    UNION ALL
    SELECT clock.now, r.space_id, r.id, CASE d.purpose WHEN 'reset' THEN 'password code void' ELSE 'identifier code void' END, $3, 'key ' || $1::text
    FROM dead d JOIN request r ON r.id = d.request_id, clock WHERE d.purpose IN ('reset', 'identifier')
)
SELECT count(*) FROM reissued
