-- Leaves the addresses, domains or numbers ($1 says which) $2 alone, each until its instant of $3, for its reason of $4, by $5
-- (D17). They replace exclusions of the same that still hold: mails that waited for those are due again, or their campaign may
-- release them. A statement before locks those. Counts the spaces that $2 names, and enters the exclusion into the audit log of each.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), line AS MATERIALIZED (
    SELECT * FROM unnest($2::text[], $3::timestamptz[], $4::text[]) AS l (key, ends_at, reason)
), replaced AS MATERIALIZED (
    UPDATE exclusion x SET ends_at = clock.now, lifted_by = $5, lift_reason = 'replaced'
    FROM line l, clock WHERE x.kind = $1 AND x.key = l.key AND x.ends_at > clock.now
    RETURNING x.key
), made AS (
    INSERT INTO exclusion (kind, key, reason, made_at, made_by, ends_at)
    SELECT $1, l.key, l.reason, clock.now, $5, l.ends_at FROM line l, clock
    RETURNING id, key
), named AS MATERIALIZED (
    SELECT s.id, l.key FROM line l JOIN space s ON s.contact_key = l.key WHERE $1 = 'address'
    UNION ALL
    SELECT s.id, l.key FROM line l JOIN space s ON split_part(s.contact_key, '@', 2) = l.key WHERE $1 = 'domain'
    UNION ALL
    SELECT s.id, l.key FROM line l JOIN space s ON s.number = l.key WHERE $1 = 'number'
), again AS MATERIALIZED (
    SELECT id FROM named WHERE key IN (SELECT key FROM replaced)
), awake AS (
    UPDATE held h SET not_before = invited_until(h.space_id, c.email_key)
    FROM clock, request r JOIN code c ON c.request_id = r.id AND c.generation = r.generation
    WHERE r.space_id IN (SELECT id FROM again) AND h.request_id = r.id AND h.not_before > clock.now
), waiting AS MATERIALIZED (
    SELECT o.id, o.due_at FROM obligation o
    WHERE EXISTS (SELECT FROM again) AND o.space_id IN (SELECT id FROM again) AND o.kind = 'code' AND o.copy = 0
      AND o.attempts = 0 AND o.started_at IS NULL AND o.due_at > (SELECT now FROM clock)
    FOR UPDATE OF o
), woken AS (
    UPDATE obligation o SET due_at = clock.now FROM waiting w, clock WHERE o.id = w.id
), counted AS (
    INSERT INTO tally (to_send) SELECT count(*) FROM waiting WHERE due_at = 'infinity' HAVING count(*) > 0
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, n.id, max(r.id), 'excluded', $5::text, 'exclusion ' || made.id
    FROM named n JOIN made USING (key) JOIN request r ON r.space_id = n.id, clock
    GROUP BY clock.now, n.id, made.id
)
SELECT count(*) FROM named
