-- Lists the verdicts in the order of the file, with the warnings of accepted rows.
SELECT line, verdict AS kind, j.cell,
       CASE WHEN verdict = 'accepted' THEN concat_ws(' ; ', nullif(j.reason, ''), nullif(warning, '')) ELSE j.reason END AS reason
FROM judged j JOIN staged USING (line) ORDER BY line
