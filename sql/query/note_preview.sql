-- A preview of campaign $1 was made, by $2, who says so as $3.
INSERT INTO campaign_audit (at, campaign_id, event, actor, why) VALUES ((SELECT bascule_now()), $1, 'preview', $2, $3)
