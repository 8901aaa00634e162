-- The batch of the file with hash $1, named $2, sheet $3: the same bytes are the same batch.
INSERT INTO batch (sha256, file_name, sheet, created_at) VALUES ($1, $2, $3, (SELECT bascule_now()))
ON CONFLICT (sha256) DO UPDATE SET file_name = excluded.file_name
RETURNING id, xmax = 0 AS is_new
