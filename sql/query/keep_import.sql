-- Records one run of batch $1 by $2, and the rows that it rejected or excluded. $3 to $8 count the rows, and those of each
-- verdict.
WITH run AS (
    INSERT INTO import (batch_id, at, actor, rows, accepted, unchanged, not_due, excluded, rejected)
    VALUES ($1, (SELECT bascule_now()), $2, $3, $4, $5, $6, $7, $8)
)
INSERT INTO rejected (batch_id, line, number, verdict, cell, reason)
SELECT $1, line, number, verdict, j.cell, j.reason FROM judged j JOIN staged USING (line) WHERE verdict IN ('rejected', 'excluded')
ON CONFLICT (batch_id, line) DO UPDATE SET number = excluded.number, verdict = excluded.verdict, cell = excluded.cell, reason = excluded.reason
