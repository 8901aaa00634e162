-- Finds the address that may become the identifier of the space that request $1 switched, while its code is not over.
SELECT c.email FROM code c
WHERE c.request_id = $1 AND c.purpose = 'identifier' AND c.void_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > (SELECT bascule_now()))
