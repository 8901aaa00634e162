-- Finds the address that the owner of the space that request $1 switched wanted last as identifier, if the mail with its
-- code was refused for good within a day.
SELECT c.email FROM code c
WHERE c.request_id = $1 AND c.purpose = 'identifier' AND c.mailed_at IS NULL AND c.refusal <> ''
  AND c.void_at > (SELECT bascule_now()) - interval '1 day'
  AND NOT EXISTS (SELECT FROM code l WHERE l.request_id = c.request_id AND l.purpose = 'identifier' AND l.generation > c.generation)
