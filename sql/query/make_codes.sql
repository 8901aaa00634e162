-- Makes the first codes of the requests that round $1 has opened, with key id $2.
INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce, tag)
SELECT j.request_id, 1, 'identify', s.email, s.email_key, $2, s.nonce, s.tag
FROM judged j JOIN staged s USING (line)
WHERE j.round = $1 AND j.verdict = 'accepted' AND j.action IN ('new', 'restart')
ORDER BY j.request_id
