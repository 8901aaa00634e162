-- Remembers the obligations $1 as refused without a clear reason, one for each recipient, and tells all such since the last success.
UPDATE breaker SET unclear = ARRAY(
    SELECT min(o.id) FROM obligation o JOIN request r ON r.id = o.request_id
    WHERE o.id = ANY (unclear || $1::bigint[])
    GROUP BY CASE WHEN o.kind = 'code' AND r.chosen_key IS NOT NULL AND o.generation = r.generation OR o.kind IN ('confirmation', 'reset')
                  THEN coalesce(r.chosen_key, r.contact_key) ELSE r.contact_key END)
RETURNING unclear
