-- Finds the batch of the file with hash $1; 0 if it was never imported.
SELECT coalesce((SELECT id FROM batch WHERE sha256 = $1), 0)
