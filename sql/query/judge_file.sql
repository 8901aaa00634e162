-- Judges rows by the file alone: malformed rows, rows that contradict each other, rows that stand twice (D9). If other rows
-- bear a malformed row's number with other contents, its reason names them, too. $1 and $2 are the columns of the number
-- and of the serial number. Only what stands twice has its lines listed.
WITH number AS (
    SELECT number, min(line) AS first, min(contents) <> max(contents) AS differ,
           array_to_string((array_agg(line ORDER BY line))[1:10], ', ') || CASE WHEN count(*) > 10 THEN ' …' ELSE '' END AS lines
    FROM staged WHERE number IN (SELECT number FROM staged WHERE number <> '' GROUP BY number HAVING count(*) > 1)
    GROUP BY number
), certificate AS (
    SELECT serial, lower(issuer_key) AS issuer,
           array_to_string((array_agg(line ORDER BY line))[1:10], ', ') || CASE WHEN count(*) > 10 THEN ' …' ELSE '' END AS lines
    FROM staged WHERE reason = '' AND serial IN (SELECT serial FROM staged WHERE reason = '' GROUP BY serial HAVING count(*) > 1)
    GROUP BY serial, lower(issuer_key) HAVING min(number) <> max(number)
)
INSERT INTO judged (line, round, verdict, cell, reason)
SELECT line, 0, CASE WHEN reason <> '' THEN 'rejected' ELSE 'unchanged' END, cell,
       CASE WHEN reason <> '' THEN reason ELSE 'identique à la ligne ' || first END
FROM (
    SELECT t.line, n.first,
           CASE WHEN t.reason <> '' THEN t.cell WHEN n.differ THEN $1 || t.line WHEN c.lines IS NOT NULL THEN $2 || t.line ELSE '' END AS cell,
           concat_ws(' ; ', nullif(t.reason, ''),
                CASE WHEN n.differ THEN 'ce numéro d’abonné figure sur plusieurs lignes au contenu différent : lignes ' || n.lines
                     WHEN c.lines IS NOT NULL THEN 'ce certificat figure sous plusieurs numéros d’abonné : lignes ' || c.lines
                END) AS reason
    FROM staged t
    LEFT JOIN number n ON n.number = t.number
    LEFT JOIN certificate c ON t.reason = '' AND c.serial = t.serial AND c.issuer = lower(t.issuer_key)
    WHERE t.reason <> '' OR n.differ OR c.lines IS NOT NULL OR n.first < t.line
) AS f
