-- The verdicts in the order of the file; a warning stands beside an accepted row.
SELECT line, verdict AS kind, cell,
       CASE WHEN verdict = 'accepted' THEN concat_ws(' ; ', nullif(reason, ''), nullif(warning, '')) ELSE reason END AS reason
FROM staged ORDER BY line
