-- Whether the breaker is open. It stays so until the transaction ends.
SELECT opened_at IS NOT NULL FROM breaker FOR NO KEY UPDATE
