-- Ends the sessions with token hashes $1, and all sessions on the recaps of their spaces.
DELETE FROM session o USING session mine
WHERE mine.token_hash = ANY ($1) AND o.space_id = mine.space_id AND (o.token_hash = ANY ($1) OR o.scope = 'recap')
