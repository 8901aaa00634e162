-- Counts $3 mails less to the addresses $1 on the days $2: they were allowed in this transaction, and do not start after all.
UPDATE allowance a SET mails = a.mails - i.n
FROM unnest($1::text[], $2::date[], $3::int[]) AS i (key, day, n) WHERE a.email_key = i.key AND a.day = i.day
