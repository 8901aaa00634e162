-- Counts the certificate spaces that share each of the contact addresses $1, as far as a mail tells (D2). taken: the address
-- is the identifier of a password space already (R6). counted: its mails of today are, as spaces shared it (D16).
SELECT k.key, (SELECT count(*) FROM (
           SELECT FROM space x WHERE x.contact_key = k.key AND x.access = 'certificate' LIMIT 1001) AS counted) AS sharing,
       EXISTS (SELECT FROM space x WHERE x.email_key = k.key AND x.access = 'password') AS taken,
       EXISTS (SELECT FROM allowance a WHERE a.email_key = k.key AND a.day = (SELECT (bascule_now() AT TIME ZONE 'Europe/Paris')::date)) AS counted
FROM (SELECT DISTINCT unnest($1::text[]) AS key) AS k
