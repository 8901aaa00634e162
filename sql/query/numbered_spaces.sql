-- Reads the spaces of numbers $1.
SELECT id, number, holder, contact_email, serial, issuer, certificate_expires, access, priority,
       coalesce(switched_at, 'epoch') AS switched_at, coalesce(email, '') AS email
FROM space WHERE number = ANY ($1::text[])
