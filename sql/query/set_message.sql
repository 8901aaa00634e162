-- Gives campaign $1 the message $2, by $3, and enters that into its audit log with the words $4.
WITH changed AS (
    UPDATE campaign SET message = $2 WHERE id = $1
)
INSERT INTO campaign_audit (at, campaign_id, event, actor, why) VALUES ((SELECT bascule_now()), $1, 'message changed', $3, $4)
