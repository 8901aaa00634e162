-- Waits for the locks on the codes of the requests $1, which are locked: from then on nobody starts or finishes their
-- mails.
SELECT FROM code WHERE request_id = ANY ($1) ORDER BY request_id, generation FOR NO KEY UPDATE
