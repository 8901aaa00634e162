-- Makes the new spaces, and tells the staged rows which they are. Imports run one at a time, and nothing else makes spaces.
WITH made AS (
    INSERT INTO space (number, holder, contact_email, contact_key, serial, issuer, certificate_expires, companies, contents)
    SELECT number, holder, email, email_key, serial, issuer, expires, coalesce(companies, '[]'), contents::uuid
    FROM staged WHERE verdict = 'accepted' AND action = 'new'
    ORDER BY number
    RETURNING id, number
)
UPDATE staged s SET space_id = made.id FROM made WHERE s.number = made.number AND s.verdict = 'accepted'
