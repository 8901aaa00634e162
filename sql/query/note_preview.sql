-- Enters a preview of campaign $1 by $2 into its audit log, with the words $3.
INSERT INTO campaign_audit (at, campaign_id, event, actor, why) VALUES ((SELECT bascule_now()), $1, 'preview', $2, $3)
