-- Reads the messages of the campaigns $1 that have one.
SELECT id, message FROM campaign WHERE id = ANY ($1) AND message <> ''
