-- Enters into the audit log that campaign $1 starts although it was not found ready, by $2, for
-- the reason $3.
INSERT INTO campaign_audit (at, campaign_id, event, actor, why) VALUES ((SELECT bascule_now()), $1, 'started anyway', $2, $3)
