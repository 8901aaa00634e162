SELECT id, coalesce(switched_at, 'epoch') AS switched_at, coalesce(email, '') AS email,
       number, holder, contact_email, serial, issuer, certificate_expires, access
FROM space WHERE number = $1
