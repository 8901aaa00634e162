SELECT count(*) AS rows,
       count(*) FILTER (WHERE verdict = 'accepted') AS accepted,
       count(*) FILTER (WHERE verdict = 'unchanged') AS unchanged,
       count(*) FILTER (WHERE verdict = 'not_due') AS not_due,
       count(*) FILTER (WHERE verdict = 'excluded') AS excluded,
       count(*) FILTER (WHERE verdict = 'rejected') AS rejected,
       (SELECT count(*) FROM staged_dossier d WHERE NOT EXISTS (SELECT FROM staged s WHERE s.number = d.number AND d.number <> '')) AS orphan_dossiers
FROM staged
