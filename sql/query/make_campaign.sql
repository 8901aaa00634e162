-- Makes a campaign named $1, by $2.
WITH made AS (
    INSERT INTO campaign (name, created_at) VALUES ($1, (SELECT bascule_now())) RETURNING id, created_at
), told AS (
    INSERT INTO campaign_audit (at, campaign_id, event, actor) SELECT created_at, id, 'prepared', $2 FROM made
)
SELECT id FROM made
