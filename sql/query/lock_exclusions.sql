-- Locks the exclusions of the address, domain or number ($1 says which) $2 that hold. Mails that are put off for them at the
-- moment are so before a later statement ends the exclusions.
SELECT FROM exclusion WHERE kind = $1 AND key = $2 AND ends_at > (SELECT bascule_now()) FOR UPDATE
