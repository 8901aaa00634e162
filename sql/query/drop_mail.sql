-- Deletes the mails $1: they are void.
DELETE FROM obligation WHERE id = ANY ($1)
