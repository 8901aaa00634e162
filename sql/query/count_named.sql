-- Counts the spaces that $2 names; $1 says whether it is an address, a domain or a number.
SELECT count(*) FROM space s
WHERE CASE $1 WHEN 'address' THEN s.contact_key = $2 WHEN 'domain' THEN split_part(s.contact_key, '@', 2) = $2 ELSE s.number = $2 END
