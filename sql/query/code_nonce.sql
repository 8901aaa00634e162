-- Reads the nonce of the code of request $1, generation $2. There is no row if there is no such code.
SELECT nonce FROM code WHERE request_id = $1 AND generation = $2
