-- Rows of batch $1 that an earlier run rejected and this one does not.
DELETE FROM rejected x
WHERE x.batch_id = $1 AND NOT EXISTS (SELECT FROM staged s WHERE s.line = x.line AND s.verdict IN ('rejected', 'excluded'))
