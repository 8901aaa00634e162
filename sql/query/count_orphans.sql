-- How many rows of the sheet Dossiers have a number that no row of the file has, or none.
SELECT count(*) FROM staged_dossier d WHERE NOT EXISTS (SELECT FROM staged s WHERE s.number = d.number AND d.number <> '')
