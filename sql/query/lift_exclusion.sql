-- Lifts the exclusions of the address, domain or number ($1 says which) $2, for reason $3, by $4 (D17). Invitations that
-- waited for them go back to their campaign, or wait there no longer for the end of the exclusions; it releases them as its
-- brakes allow (D13). An invitation of no campaign, or of one that is over, is due again. A statement before locks the
-- exclusions; this one waits for who ends the requests. Counts the exclusions that it lifted, and the spaces that they named.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), held AS MATERIALIZED (
    SELECT x.id, x.ends_at FROM exclusion x, clock
    WHERE x.kind = $1 AND x.key = $2 AND x.ends_at > clock.now
), named AS MATERIALIZED (
    SELECT s.id AS space_id, h.id FROM (
        SELECT id FROM space WHERE $1 = 'address' AND contact_key = $2
        UNION ALL
        SELECT id FROM space WHERE $1 = 'domain' AND split_part(contact_key, '@', 2) = $2
        UNION ALL
        SELECT id FROM space WHERE $1 = 'number' AND number = $2) AS s, held h
), lifted AS (
    UPDATE exclusion x SET ends_at = clock.now, lifted_by = $4, lift_reason = $3
    FROM held h, clock WHERE x.id = h.id
    RETURNING x.id
), awake AS (
    UPDATE held h SET not_before = invited_until(h.space_id, c.email_key)
    FROM clock, request r JOIN code c ON c.request_id = r.id AND c.generation = r.generation
    WHERE r.space_id IN (SELECT space_id FROM named) AND h.request_id = r.id AND h.not_before > clock.now
), waiting AS MATERIALIZED (
    SELECT o.id, o.due_at, o.request_id, o.generation, o.space_id, o.campaign_id,
           o.campaign_id IS NOT NULL AND campaign_is_open(o.campaign_id) AND request_is_open(r) AND r.generation = o.generation
           AND c.purpose = 'identify' AND c.started_at IS NULL AS goes_back
    FROM obligation o JOIN request r ON r.id = o.request_id JOIN code c ON c.request_id = o.request_id AND c.generation = o.generation
    WHERE o.space_id IN (SELECT space_id FROM named) AND o.kind = 'code' AND o.copy = 0
      AND o.attempts = 0 AND o.started_at IS NULL AND o.due_at > (SELECT now FROM clock)
    FOR UPDATE OF o FOR SHARE OF r
), back AS (
    INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires)
    SELECT w.request_id, w.generation, s.id, w.campaign_id, s.priority, s.certificate_expires
    FROM waiting w JOIN space s ON s.id = w.space_id WHERE w.goes_back
), gone AS (
    DELETE FROM obligation o USING waiting w WHERE o.id = w.id AND w.goes_back
), due AS (
    UPDATE obligation o SET due_at = clock.now FROM waiting w, clock WHERE o.id = w.id AND NOT w.goes_back
), counted AS (
    INSERT INTO tally (to_send) SELECT count(*) FROM waiting WHERE due_at = 'infinity' AND NOT goes_back HAVING count(*) > 0
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, n.space_id, max(r.id), 'exclusion lifted', $4::text, 'exclusion ' || n.id
    FROM named n JOIN request r USING (space_id), clock
    GROUP BY clock.now, n.space_id, n.id
)
SELECT (SELECT count(*) FROM lifted) AS lifted, (SELECT count(*) FROM named) AS spaces
