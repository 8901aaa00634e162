-- The codes of the mails $1 are held by somebody: they are due again soon.
UPDATE obligation SET claim = NULL, claimed_until = NULL, due_at = (SELECT bascule_now()) + interval '2 seconds' WHERE id = ANY ($1)
