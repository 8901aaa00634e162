-- Waits for the lock on the space that request $1 switched, behind visitors who enter it. A later statement reads the space
-- and its sessions: one that waited for a lock does not see sessions opened meanwhile.
SELECT s.id FROM space s JOIN request r ON r.space_id = s.id WHERE r.id = $1 FOR NO KEY UPDATE OF s
