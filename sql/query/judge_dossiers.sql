-- Gives each number its companies, and its staged rows the first error in them. Numbers without a dossier keep what they
-- have. Only the few numbers with an error have its place looked up. $1 are the letters of the sheet's column of SIRENs. A
-- space has at most $2 companies, $3 services of each and $4 of all. The dossiers stand in the order of the rows, as later
-- statements look them up in that order.
WITH company AS MATERIALIZED (
    SELECT number, siren, min(low) AS name, min(low) <> max(high) AS two_names, min(line) AS line,
           count(*) FILTER (WHERE service <> '') AS services,
           coalesce(jsonb_agg(service ORDER BY service) FILTER (WHERE service <> ''), '[]') AS listed
    FROM (
        SELECT number, siren, service, min(company) AS low, max(company) AS high, min(line) AS line
        FROM staged_dossier WHERE reason = ''
        GROUP BY number, siren, service
    ) AS service
    GROUP BY number, siren
), space AS MATERIALIZED (
    SELECT number, jsonb_agg(jsonb_build_object('siren', siren, 'name', name, 'services', listed) ORDER BY siren) AS companies,
           bool_or(two_names) OR count(*) > $2::int OR max(services) > $3::int OR sum(services) > $4::int AS is_wrong
    FROM company GROUP BY number
), wrong_company AS (
    SELECT number, siren, two_names, line, row_number() OVER (PARTITION BY number ORDER BY line) AS nth
    FROM company JOIN space USING (number) WHERE is_wrong
), wrong_service AS (
    SELECT number, siren, line, row_number() OVER (PARTITION BY number, siren ORDER BY line) AS nth_of_company,
           row_number() OVER (PARTITION BY number ORDER BY line) AS nth_of_space
    FROM (
        SELECT number, siren, service, min(line) AS line
        FROM staged_dossier JOIN space USING (number) WHERE is_wrong AND reason = '' AND service <> ''
        GROUP BY number, siren, service
    ) AS service
), wrong AS MATERIALIZED (
    SELECT DISTINCT ON (number) number, cell, reason FROM (
        SELECT number, line, cell, reason FROM staged_dossier WHERE reason <> '' AND number <> ''
        UNION ALL
        SELECT number, line, 'Dossiers!' || $1 || line, 'le SIREN ' || siren || ' y porte deux raisons sociales' FROM wrong_company WHERE two_names
        UNION ALL
        SELECT number, line, 'Dossiers!' || $1 || line, 'plus de ' || $2::int || ' entreprises pour cet espace' FROM wrong_company WHERE nth = $2::int + 1
        UNION ALL
        SELECT number, line, 'Dossiers!' || $1 || line, 'plus de ' || $3::int || ' services pour le SIREN ' || siren FROM wrong_service WHERE nth_of_company = $3::int + 1
        UNION ALL
        SELECT number, line, 'Dossiers!' || $1 || line, 'plus de ' || $4::int || ' services pour cet espace' FROM wrong_service WHERE nth_of_space = $4::int + 1
    ) AS problem ORDER BY number, line
), refused AS (
    UPDATE staged s SET cell = w.cell, reason = 'feuille Dossiers : ' || w.reason
    FROM wrong w WHERE s.number = w.number AND s.reason = ''
)
INSERT INTO dossier (number, companies)
SELECT number, companies FROM (
    SELECT number, companies FROM space WHERE number <> '' AND number NOT IN (SELECT number FROM wrong)
    UNION ALL
    SELECT number, NULL FROM wrong
) AS told JOIN (SELECT number, min(line) AS line FROM staged GROUP BY number) AS place USING (number)
ORDER BY place.line
