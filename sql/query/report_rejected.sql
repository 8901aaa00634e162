-- The rows of batch $1, or of all where it is 0, that were not taken.
SELECT x.batch_id AS batch, b.file_name, x.line, x.verdict, x.cell, x.reason, x.number
FROM rejected x JOIN batch b ON b.id = x.batch_id
WHERE $1 = 0 OR x.batch_id = $1
ORDER BY x.batch_id, x.line
