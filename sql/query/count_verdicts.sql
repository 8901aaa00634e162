-- Counts the verdicts on the $1 rows of a file. elsewhere are those accepted whose request is of another campaign than $2,
-- or none if $2 is 0.
SELECT $1::integer AS rows,
       count(*) FILTER (WHERE verdict = 'accepted') AS accepted,
       count(*) FILTER (WHERE verdict = 'accepted' AND action <> 'new' AND EXISTS (
           SELECT FROM request r WHERE r.id = request_id AND r.campaign_id <> nullif($2::bigint, 0))) AS elsewhere,
       count(*) FILTER (WHERE verdict = 'unchanged') AS unchanged,
       count(*) FILTER (WHERE verdict = 'not_due') AS not_due,
       count(*) FILTER (WHERE verdict = 'excluded') AS excluded,
       count(*) FILTER (WHERE verdict = 'rejected') AS rejected
FROM judged
