-- The mails $1 are void.
DELETE FROM obligation WHERE id = ANY ($1)
