-- The address to which the mail of request $1, generation $2, went; no row if it is not known any more, or is left alone
-- without end already (D17).
SELECT m.key FROM (
    SELECT CASE WHEN r.chosen_key IS NOT NULL AND r.generation = $2 THEN r.chosen_key ELSE r.contact_key END AS key
    FROM request r
    WHERE r.id = $1 AND (r.chosen_key IS NOT NULL AND r.generation = $2 OR r.contact_generation = $2)) AS m
WHERE NOT EXISTS (SELECT FROM exclusion x WHERE x.kind = 'address' AND x.key = m.key AND x.ends_at = 'infinity')
