-- Lists the latest $1 batches, newest first.
SELECT id, file_name FROM batch ORDER BY id DESC LIMIT $1
