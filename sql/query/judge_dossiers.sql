-- Gives each staged row its companies, or the first thing that is wrong with them. Numbers without a dossier keep what they have.
-- $1 are the letters of the sheet's column of SIRENs.
WITH company AS (
    SELECT number, siren, min(company) AS name, min(company) <> max(company) AS two_names, min(line) AS line,
           coalesce(jsonb_agg(DISTINCT service) FILTER (WHERE service <> ''), '[]') AS services
    FROM staged_dossier WHERE reason = ''
    GROUP BY number, siren
), dossier AS (
    SELECT number, jsonb_agg(jsonb_build_object('siren', siren, 'name', name, 'services', services) ORDER BY siren) AS companies
    FROM company GROUP BY number
), wrong AS (
    SELECT DISTINCT ON (number) number, cell, reason FROM (
        SELECT number, line, cell, reason FROM staged_dossier WHERE reason <> '' AND number <> ''
        UNION ALL
        SELECT number, line, 'Dossiers!' || $1 || line, 'le SIREN ' || siren || ' y porte deux raisons sociales' FROM company WHERE two_names
    ) AS problem ORDER BY number, line
)
UPDATE staged s
SET companies = d.companies,
    cell = CASE WHEN s.reason = '' AND w.reason IS NOT NULL THEN w.cell ELSE s.cell END,
    reason = CASE WHEN s.reason = '' AND w.reason IS NOT NULL THEN 'feuille Dossiers : ' || w.reason ELSE s.reason END
FROM (SELECT DISTINCT number FROM staged_dossier WHERE number <> '') AS named
LEFT JOIN dossier d USING (number)
LEFT JOIN wrong w USING (number)
WHERE s.number = named.number
