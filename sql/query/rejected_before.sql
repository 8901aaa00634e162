-- Finds the rejected rows of earlier files that this file has again: the rows with the same number, whatever becomes of
-- them now. In a verdict workbook ($1) a number may have been corrected. There, a row on the same line is the same row, if
-- the earlier sheet had the same name ($2) and as many rows ($3).
INSERT INTO rejected_before (campaign_id, batch_id, line, same_number)
SELECT b.campaign_id, x.batch_id, x.line, n.number IS NOT NULL
FROM rejected x JOIN batch b ON b.id = x.batch_id
LEFT JOIN (SELECT DISTINCT number FROM staged WHERE number <> '') AS n ON n.number = x.number
LEFT JOIN staged l ON $1 AND l.line = x.line
WHERE n.number IS NOT NULL
   OR l.line IS NOT NULL AND b.sheet = $2 AND (SELECT i.rows FROM import i WHERE i.batch_id = b.id ORDER BY i.id DESC LIMIT 1) = $3
