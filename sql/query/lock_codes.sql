-- Locks the codes of the requests $1, which are locked, once nobody starts or finishes their mails any more.
SELECT FROM code WHERE request_id = ANY ($1) ORDER BY request_id, generation FOR NO KEY UPDATE
