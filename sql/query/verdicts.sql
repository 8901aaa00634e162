-- The verdicts in the order of the file; a warning stands beside an accepted row.
SELECT line, verdict AS kind, j.cell,
       CASE WHEN verdict = 'accepted' THEN concat_ws(' ; ', nullif(j.reason, ''), nullif(warning, '')) ELSE j.reason END AS reason
FROM judged j JOIN staged USING (line) ORDER BY line
