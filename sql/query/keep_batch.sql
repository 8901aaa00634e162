-- Records the batch of the file with hash $1, named $2, sheet $3, of campaign $4. The same bytes are the same batch.
-- Imports wait for each other, so the number after the last one is free. A sequence would skip the numbers of dry runs.
INSERT INTO batch (id, campaign_id, sha256, file_name, sheet, created_at) OVERRIDING SYSTEM VALUE
VALUES ((SELECT coalesce(max(id), 0) + 1 FROM batch), $4, $1, $2, $3, (SELECT bascule_now()))
ON CONFLICT (sha256) DO UPDATE SET file_name = excluded.file_name, campaign_id = excluded.campaign_id
RETURNING id
