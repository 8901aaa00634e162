-- Leaves the address, domain or number ($1 says which) $2 alone until instant $3, for reason $4, by $5 (D17). It replaces
-- an exclusion of the same that still holds: mails that waited for that one are due again, or their campaign may release
-- them. A statement before locks that one. Counts the spaces that $2 names, and enters the exclusion into the audit log of each.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), replaced AS (
    UPDATE exclusion x SET ends_at = clock.now, lifted_by = $5, lift_reason = 'replaced'
    FROM clock WHERE x.kind = $1 AND x.key = $2 AND x.ends_at > clock.now
    RETURNING x.id
), made AS (
    INSERT INTO exclusion (kind, key, reason, made_at, made_by, ends_at)
    SELECT $1, $2, $4, clock.now, $5, $3 FROM clock
    RETURNING id
), named AS MATERIALIZED (
    SELECT id FROM space WHERE $1 = 'address' AND contact_key = $2
    UNION ALL
    SELECT id FROM space WHERE $1 = 'domain' AND split_part(contact_key, '@', 2) = $2
    UNION ALL
    SELECT id FROM space WHERE $1 = 'number' AND number = $2
), awake AS (
    UPDATE held h SET not_before = invited_until(h.space_id, c.email_key, h.request_id)
    FROM clock, request r JOIN code c ON c.request_id = r.id AND c.generation = r.generation
    WHERE EXISTS (SELECT FROM replaced) AND r.space_id IN (SELECT id FROM named) AND h.request_id = r.id AND h.not_before > clock.now
), waiting AS MATERIALIZED (
    SELECT o.id, o.due_at FROM obligation o
    WHERE EXISTS (SELECT FROM replaced) AND o.space_id IN (SELECT id FROM named) AND o.kind = 'code' AND o.copy = 0
      AND o.attempts = 0 AND o.started_at IS NULL AND o.due_at > (SELECT now FROM clock)
    FOR UPDATE OF o
), woken AS (
    UPDATE obligation o SET due_at = clock.now FROM waiting w, clock WHERE o.id = w.id
), counted AS (
    INSERT INTO tally (to_send) SELECT count(*) FROM waiting WHERE due_at = 'infinity' HAVING count(*) > 0
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, n.id, max(r.id), 'excluded', $5::text, 'exclusion ' || made.id
    FROM named n JOIN request r ON r.space_id = n.id, made, clock
    GROUP BY clock.now, n.id, made.id
)
SELECT count(*) FROM named
