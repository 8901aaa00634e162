-- Brings known certificate spaces up to date.
UPDATE space k
SET holder = s.holder, contact_email = s.email, contact_key = s.email_key, serial = s.serial, issuer = s.issuer,
    certificate_expires = s.expires, companies = coalesce(s.companies, k.companies), contents = s.contents::uuid
FROM staged s
WHERE k.id = s.space_id AND s.verdict = 'accepted' AND s.action IN ('reopened', 'redirect', 'update') AND k.access = 'certificate'
