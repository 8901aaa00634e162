-- Waits for the lock on the space that request $1 switched, behind whoever is entering it. What it says and the sessions in it
-- are read afterwards, in a statement of its own: a waiter behind a lock would not see the sessions opened meanwhile.
SELECT s.id FROM space s JOIN request r ON r.space_id = s.id WHERE r.id = $1 FOR NO KEY UPDATE OF s
