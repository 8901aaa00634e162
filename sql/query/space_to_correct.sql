-- What a spreadsheet would say of the space of number $1.
SELECT number, holder, contact_email, serial, issuer, certificate_expires, access, priority FROM space WHERE number = $1
