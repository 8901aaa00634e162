-- Counts the rows of the sheet Dossiers whose number is missing, or is on no row of the file.
SELECT count(*) FROM staged_dossier d WHERE NOT EXISTS (SELECT FROM staged s WHERE s.number = d.number AND d.number <> '')
