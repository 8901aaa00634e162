-- Tells whether the breaker is open. The lock keeps it so until the transaction ends.
SELECT opened_at IS NOT NULL FROM breaker FOR NO KEY UPDATE
