-- Records one run of batch $1 by $2, and the rows it rejected.
WITH run AS (
    INSERT INTO import (batch_id, at, actor, rows, accepted, unchanged, not_due, rejected)
    VALUES ($1, (SELECT bascule_now()), $2, $3, $4, $5, $6, $7)
)
INSERT INTO rejected (batch_id, line, number, cell, reason)
SELECT $1, line, number, cell, reason FROM staged WHERE verdict = 'rejected'
ON CONFLICT (batch_id, line) DO UPDATE SET number = excluded.number, cell = excluded.cell, reason = excluded.reason
