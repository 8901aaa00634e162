-- Lists the latest $2 entries of the audit log of campaign $1, oldest first.
SELECT at, event, actor, why FROM (
    SELECT id, at, event, actor, why FROM campaign_audit WHERE campaign_id = $1 ORDER BY id DESC LIMIT $2) AS latest ORDER BY id
