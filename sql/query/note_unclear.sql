-- Remembers the obligations $1 as refused without a clear reason, one for each recipient, and tells all such since the last
-- success. Recipients that are to blame themselves are left out. While the breaker is open, $1 are suspects too: up to 500,
-- so that a long outage neither lets the list grow without end nor lays the blame on a whole batch.
UPDATE breaker SET
    unclear = ARRAY(
        SELECT min(o.id) FROM obligation o JOIN request r ON r.id = o.request_id
        WHERE o.id = ANY (breaker.unclear || breaker.blamed || $1::bigint[]) AND o.kind <> 'expiry'
        GROUP BY CASE WHEN o.kind = 'code' AND r.chosen_key IS NOT NULL AND o.generation = r.generation OR o.kind IN ('confirmation', 'reset', 'password-notice', 'siege-notice')
                      THEN coalesce(r.chosen_key, r.contact_key) ELSE r.contact_key END
        HAVING NOT bool_or(o.id = ANY (breaker.blamed))),
    suspects = CASE WHEN opened_at IS NOT NULL AND cardinality(suspects) < 500
        THEN ARRAY(SELECT unnest(breaker.suspects) UNION SELECT unnest($1::bigint[])) ELSE suspects END
RETURNING unclear
