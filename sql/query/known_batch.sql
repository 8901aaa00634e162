-- Finds the batch of the file with hash $1, and the name of its campaign; 0 and '' if it was never imported.
SELECT coalesce(max(b.id), 0) AS id, coalesce(max(c.name), '') AS campaign
FROM batch b JOIN campaign c ON c.id = b.campaign_id WHERE b.sha256 = $1
