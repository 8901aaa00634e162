-- Gives each number its companies, and its staged rows the first thing that is wrong with them. Numbers without a dossier keep
-- what they have.
-- $1 are the letters of the sheet's column of SIRENs. A space has at most $2 companies, $3 services of each and $4 of all.
WITH service AS MATERIALIZED (
    SELECT number, siren, service, min(company) AS low, max(company) AS high, min(line) AS line
    FROM staged_dossier WHERE reason = ''
    GROUP BY number, siren, service
), company AS MATERIALIZED (
    SELECT number, siren, min(low) AS name, min(low) <> max(high) AS two_names, min(line) AS line,
           row_number() OVER (PARTITION BY number ORDER BY min(line)) AS nth
    FROM service GROUP BY number, siren
), counted AS (
    SELECT number, siren, line, row_number() OVER (PARTITION BY number, siren ORDER BY line) AS nth_of_company,
           row_number() OVER (PARTITION BY number ORDER BY line) AS nth_of_space
    FROM service WHERE service <> ''
), wrong AS MATERIALIZED (
    SELECT DISTINCT ON (number) number, cell, reason FROM (
        SELECT number, line, cell, reason FROM staged_dossier WHERE reason <> '' AND number <> ''
        UNION ALL
        SELECT number, line, 'Dossiers!' || $1 || line, 'le SIREN ' || siren || ' y porte deux raisons sociales' FROM company WHERE two_names
        UNION ALL
        SELECT number, line, 'Dossiers!' || $1 || line, 'plus de ' || $2::int || ' entreprises pour cet espace' FROM company WHERE nth = $2::int + 1
        UNION ALL
        SELECT number, line, 'Dossiers!' || $1 || line, 'plus de ' || $3::int || ' services pour le SIREN ' || siren FROM counted WHERE nth_of_company = $3::int + 1
        UNION ALL
        SELECT number, line, 'Dossiers!' || $1 || line, 'plus de ' || $4::int || ' services pour cet espace' FROM counted WHERE nth_of_space = $4::int + 1
    ) AS problem ORDER BY number, line
), listed AS (
    SELECT number, siren, coalesce(jsonb_agg(service ORDER BY service) FILTER (WHERE service <> ''), '[]') AS services
    FROM service WHERE number NOT IN (SELECT number FROM wrong)
    GROUP BY number, siren
), companies AS (
    SELECT number, jsonb_agg(jsonb_build_object('siren', siren, 'name', c.name, 'services', l.services) ORDER BY siren) AS companies
    FROM listed l JOIN company c USING (number, siren)
    GROUP BY number
), refused AS (
    UPDATE staged s SET cell = w.cell, reason = 'feuille Dossiers : ' || w.reason
    FROM wrong w WHERE s.number = w.number AND s.reason = ''
)
INSERT INTO dossier (number, companies)
SELECT number, c.companies FROM (SELECT DISTINCT number FROM staged_dossier WHERE number <> '') AS named LEFT JOIN companies c USING (number)
