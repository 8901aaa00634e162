-- Lists the keys that the database knows, in the order in which it met them.
SELECT id, check_value, given_up_at IS NOT NULL AS given_up FROM key ORDER BY known_at, id
