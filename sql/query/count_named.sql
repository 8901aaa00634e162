-- How many spaces $1 (address, domain or number) and $2 name.
SELECT count(*) FROM space s
WHERE CASE $1 WHEN 'address' THEN s.contact_key = $2 WHEN 'domain' THEN split_part(s.contact_key, '@', 2) = $2 ELSE s.number = $2 END
