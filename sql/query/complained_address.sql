-- Finds the address to which the code of request $1, generation $2, went. There is no row if it is left alone without end
-- already (D17).
SELECT c.email_key FROM code c
WHERE c.request_id = $1 AND c.generation = $2 AND c.purpose IN ('identify', 'activate')
  AND NOT EXISTS (SELECT FROM exclusion x WHERE x.kind = 'address' AND x.key = c.email_key AND x.ends_at = 'infinity')
