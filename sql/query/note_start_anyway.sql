-- Enters into the audit log that $2 starts campaign $1, although it was not found ready, for the reason $3.
INSERT INTO campaign_audit (at, campaign_id, event, actor, why) VALUES ((SELECT bascule_now()), $1, 'started anyway', $2, $3)
