-- Remembers the obligations $1 as refused without a clear reason, and tells all such since the last success.
UPDATE breaker SET unclear = ARRAY(SELECT DISTINCT unnest(unclear || $1::bigint[]))
RETURNING unclear
