SELECT $1::integer AS rows,
       count(*) FILTER (WHERE verdict = 'accepted') AS accepted,
       count(*) FILTER (WHERE verdict = 'unchanged') AS unchanged,
       count(*) FILTER (WHERE verdict = 'not_due') AS not_due,
       count(*) FILTER (WHERE verdict = 'excluded') AS excluded,
       count(*) FILTER (WHERE verdict = 'rejected') AS rejected
FROM judged
