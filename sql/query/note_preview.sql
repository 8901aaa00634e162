-- Enters a preview of campaign $1 by $2 into its audit log, with the words $3. Keeps $4, the digest of the texts that
-- somebody got, unless it is ''.
WITH tried AS (
    UPDATE campaign SET tried = $4 WHERE id = $1 AND $4 <> ''
)
INSERT INTO campaign_audit (at, campaign_id, event, actor, why) VALUES ((SELECT bascule_now()), $1, 'preview', $2, $3)
