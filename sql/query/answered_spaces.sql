-- What a spreadsheet would say of the spaces of numbers $1.
SELECT number, holder, contact_email, serial, issuer, certificate_expires, access, priority FROM space WHERE number = ANY ($1::text[])
