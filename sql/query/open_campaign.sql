-- Records until when ($2) an invitation of campaign $1 that starts has enough assistance ahead (D14). A value that is close
-- enough stays.
UPDATE campaign SET open_until = $2 WHERE id = $1 AND (open_until > $2 OR open_until < $2 - interval '30 seconds')
