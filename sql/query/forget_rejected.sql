-- Deletes the rejected rows of batch $1 that this run takes.
DELETE FROM rejected x
WHERE x.batch_id = $1 AND NOT EXISTS (SELECT FROM judged j WHERE j.line = x.line AND j.verdict IN ('rejected', 'excluded'))
