-- Lists the rows that were not taken, nor came again since. $1 is the batch, $2 the campaign, 0 for any.
SELECT x.batch_id AS batch, b.file_name, x.line, x.verdict, x.cell, x.reason, x.number
FROM rejected x JOIN batch b ON b.id = x.batch_id
WHERE ($1::bigint = 0 OR x.batch_id = $1) AND ($2::bigint = 0 OR b.campaign_id = $2)
ORDER BY x.batch_id, x.line
