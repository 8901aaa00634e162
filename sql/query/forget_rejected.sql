-- Rows of batch $1 that an earlier run did not take and this one does.
DELETE FROM rejected x
WHERE x.batch_id = $1 AND NOT EXISTS (SELECT FROM judged j WHERE j.line = x.line AND j.verdict IN ('rejected', 'excluded'))
