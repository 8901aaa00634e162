-- Starts the hand-over of the claimed mails $2 (their codes' tags $3) of token $1: the deadline of a code counts from
-- here, $4 seconds (D4). Only what is returned may be sent. Nothing starts while the breaker is open, unless this is the probe ($5).
-- A mail found started had its outcome lost with its holder: that is one more interruption; after three the request counts as mailed.
-- The code for a new password is good for $6 seconds from here (R31). A mail about an expired code is void once the space
-- has a newer request or is switched.
-- Who is left alone gets no invitation, and no word that it is over (D17): the invitation waits until the exclusion ends. What
-- goes to an address that the subscriber chose was asked for.
-- No deadline counts while we wait for somebody's lock: a request that is held, by an import perhaps, is due again soon.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), mine AS MATERIALIZED (
    SELECT o.id, o.kind, o.request_id, o.generation, o.copy, i.tag,
           o.interruptions + (o.started_at IS NOT NULL)::int AS interruptions
    FROM unnest($2::bigint[], $3::bigint[]) AS i (id, tag)
    JOIN obligation o ON o.id = i.id
    WHERE o.claim = $1 AND o.claimed_until > (SELECT now FROM clock)
      AND ($5 OR NOT EXISTS (SELECT FROM breaker WHERE opened_at IS NOT NULL))
    FOR UPDATE OF o
), free AS MATERIALIZED (
    SELECT r.id FROM request r WHERE r.id IN (SELECT request_id FROM mine WHERE kind = 'code' AND copy = 0)
    FOR NO KEY UPDATE SKIP LOCKED
), held AS MATERIALIZED (
    SELECT id FROM mine WHERE kind = 'code' AND copy = 0 AND request_id NOT IN (SELECT id FROM free)
), later AS (
    UPDATE obligation o SET claim = NULL, claimed_until = NULL, due_at = clock.now + interval '2 seconds'
    FROM held h, clock WHERE o.id = h.id
), left_alone AS MATERIALIZED (
    SELECT n.id, max(n.ends_at) AS until FROM (
        SELECT m.id, x.ends_at
        FROM mine m JOIN request r ON r.id = m.request_id JOIN space_exclusion x ON x.space_id = r.space_id
        WHERE m.kind = 'expired' OR m.kind = 'code' AND r.chosen_key IS NULL
        UNION ALL
        SELECT m.id, x.ends_at
        FROM mine m JOIN request r ON r.id = m.request_id JOIN exclusion x ON x.kind = 'address' AND x.key = r.chosen_key
        WHERE m.kind = 'expired') AS n
    WHERE n.ends_at > (SELECT now FROM clock)
    GROUP BY n.id
), waits AS MATERIALIZED (
    SELECT m.id, l.until FROM mine m JOIN left_alone l USING (id) JOIN request r ON r.id = m.request_id
    WHERE m.kind = 'code' AND m.copy = 0 AND m.generation = request_current(r) AND request_is_open(r) AND r.expires_at IS NULL
), put_off AS (
    UPDATE obligation o SET claim = NULL, claimed_until = NULL, due_at = w.until
    FROM waits w WHERE o.id = w.id
), first AS (
    UPDATE request r
    SET started_at = coalesce(r.started_at, clock.now),
        expires_at = coalesce(r.expires_at, clock.now + make_interval(secs => $4)),
        mailed_at = CASE WHEN m.interruptions >= 3 THEN clock.now END,
        in_doubt = m.interruptions >= 3
    FROM mine m, clock
    WHERE m.kind = 'code' AND m.copy = 0 AND r.id = m.request_id AND r.id IN (SELECT id FROM free) AND m.generation = request_current(r)
      AND m.id NOT IN (SELECT id FROM left_alone)
      AND request_is_open(r) AND r.mailed_at IS NULL AND (r.expires_at IS NULL OR r.expires_at > clock.now)
    RETURNING m.id, r.id AS request_id, r.space_id, m.generation, m.tag, r.started_at, r.expires_at, r.in_doubt
), written AS (
    INSERT INTO code (request_id, generation, tag, started_at, expires_at)
    SELECT request_id, generation, tag, started_at, expires_at FROM first
    ON CONFLICT (request_id, generation) DO NOTHING
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, space_id, request_id, 'mailed', 'worker', 'in doubt' FROM first, clock WHERE in_doubt
), reset_first AS (
    UPDATE reset z
    SET started_at = coalesce(z.started_at, clock.now), tag = m.tag,
        expires_at = coalesce(z.expires_at, clock.now + make_interval(secs => $6))
    FROM mine m, clock
    WHERE m.kind = 'reset' AND m.interruptions < 3 AND z.request_id = m.request_id AND z.generation = m.generation
      AND z.used_at IS NULL AND coalesce(z.expires_at > clock.now, z.requested_at > clock.now - interval '1 day')
      AND NOT EXISTS (SELECT FROM reset n WHERE n.request_id = z.request_id AND n.generation > z.generation)
    RETURNING m.id, z.expires_at
), going AS MATERIALIZED (
    SELECT id, expires_at FROM first WHERE NOT in_doubt
    UNION ALL
    SELECT id, expires_at FROM reset_first
    UNION ALL
    SELECT m.id, CASE WHEN m.kind = 'notice'
               THEN (SELECT c.expires_at FROM code c WHERE c.request_id = r.id AND c.generation = r.contact_generation)
               ELSE r.expires_at END
    FROM mine m JOIN request r ON r.id = m.request_id, clock
    WHERE m.interruptions < 3 AND m.id NOT IN (SELECT id FROM left_alone) AND CASE
        WHEN m.kind = 'code' THEN m.copy > 0 AND m.generation = request_current(r) AND request_is_open(r)
            AND r.mailed_at IS NOT NULL AND r.expires_at > clock.now
        WHEN m.kind = 'confirmation' THEN r.activated_at IS NOT NULL
        WHEN m.kind = 'reset' THEN false -- above
        WHEN m.kind = 'expired' THEN r.expired_at IS NOT NULL AND r.bounced_at IS NULL
            AND NOT EXISTS (SELECT FROM request n WHERE n.space_id = r.space_id AND n.id > r.id)
            AND EXISTS (SELECT FROM space s WHERE s.id = r.space_id AND s.access = 'certificate')
        ELSE true END
), marked AS (
    UPDATE obligation o
    SET started_at = clock.now, message_date = coalesce(o.message_date, clock.now), interruptions = m.interruptions
    FROM going g JOIN mine m USING (id), clock
    WHERE o.id = g.id
    RETURNING o.id, o.message_date
), void AS MATERIALIZED (
    SELECT m.id, r.expires_at,
           m.kind = 'code' AND m.copy = 0 AND m.generation = request_current(r) AND request_is_open(r) AND r.expires_at IS NOT NULL AS expires
    FROM mine m JOIN request r ON r.id = m.request_id
    WHERE m.id NOT IN (SELECT id FROM going UNION ALL SELECT id FROM held UNION ALL SELECT id FROM waits)
), kept AS (
    UPDATE obligation o
    SET lane = 'expiry', kind = 'expiry', due_at = v.expires_at, claim = NULL, claimed_until = NULL, started_at = NULL, blame = NULL
    FROM void v WHERE o.id = v.id AND v.expires
), dropped AS (
    DELETE FROM obligation o USING void v WHERE o.id = v.id AND NOT v.expires
)
SELECT m.id, m.message_date, coalesce(g.expires_at, 'epoch') AS expires_at FROM marked m JOIN going g USING (id) ORDER BY m.id
