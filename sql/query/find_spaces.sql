-- Finds the first $4 spaces by $1 (address, siren or holder), in the order of their numbers, and counts all. $2 is an
-- address by which a space is contacted, entered or to be entered, or the SIREN of one of its companies. $3 are patterns
-- that its holder matches.
WITH found AS MATERIALIZED (
    SELECT id FROM space WHERE $1 = 'address' AND contact_key = $2
    UNION
    SELECT id FROM space WHERE $1 = 'address' AND access = 'password' AND email_key = $2
    UNION
    SELECT r.space_id FROM code c JOIN request r ON r.id = c.request_id
    WHERE $1 = 'address' AND c.email_key = $2 AND c.purpose = 'activate' AND c.void_at IS NULL AND (c.bounce IS NULL OR c.bounce = 'late')
    UNION
    SELECT id FROM space
    WHERE $1 = 'siren' AND companies <> '[]' AND jsonb_path_query_array(companies, '$[*].siren') @> jsonb_build_array($2::text)
    UNION
    SELECT id FROM space WHERE $1 = 'holder' AND holder ~ ALL ($3::text[])
)
SELECT s.number, s.holder, coalesce(s.email, s.contact_email) AS email, s.access,
       CASE WHEN r.id IS NULL THEN '' ELSE request_state(r, (SELECT bascule_now())) END AS state, coalesce(c.name, '') AS campaign, f.total
FROM (SELECT s.id, count(*) OVER () AS total FROM found JOIN space s USING (id) ORDER BY s.number LIMIT $4) AS f
     JOIN space s USING (id)
     LEFT JOIN request_code r ON r.id = (SELECT max(id) FROM request WHERE space_id = s.id)
     LEFT JOIN campaign c ON c.id = r.campaign_id
ORDER BY s.number
