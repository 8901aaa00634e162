-- Reads the space of number $1 as a row of a spreadsheet.
SELECT number, holder, contact_email, serial, issuer, certificate_expires, access, priority FROM space WHERE number = $1
