-- Lifts the exclusions of the address, domain or number ($1 says which) $2, for reason $3, by $4 (D17). Invitations that
-- waited for them are due again. Counts the exclusions that it lifted, and the spaces that they named.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), held AS MATERIALIZED (
    SELECT x.id, x.ends_at FROM exclusion x, clock
    WHERE x.kind = $1 AND x.key = $2 AND x.ends_at > clock.now
    FOR UPDATE OF x
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
), waiting AS MATERIALIZED (
    SELECT o.id, o.due_at FROM obligation o
    WHERE o.space_id IN (SELECT space_id FROM named) AND o.kind = 'code' AND o.copy = 0
      AND o.attempts = 0 AND o.started_at IS NULL AND o.due_at > (SELECT now FROM clock)
    FOR UPDATE OF o
), due AS (
    UPDATE obligation o SET due_at = clock.now FROM waiting w, clock WHERE o.id = w.id
), counted AS (
    INSERT INTO tally (to_send) SELECT count(*) FROM waiting WHERE due_at = 'infinity' HAVING count(*) > 0
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, n.space_id, max(r.id), 'exclusion lifted', $4::text, 'exclusion ' || n.id
    FROM named n JOIN request r USING (space_id), clock
    GROUP BY clock.now, n.space_id, n.id
)
SELECT (SELECT count(*) FROM lifted) AS lifted, (SELECT count(*) FROM named) AS spaces
