-- Changes the settings of campaign $1, by $6, with the words $7. It starts at $2, pauses after $3 invitations, and starts
-- at most $4 of them a day. The lifetime of a code must have $5 minutes of assistance. The campaign invites again $8 times;
-- further invitations to come are deleted.
WITH changed AS (
    UPDATE campaign SET starts_at = $2, pilot = $3, per_day = $4, min_help = $5, again = $8, open_until = CASE WHEN $5::integer IS NOT NULL THEN (SELECT bascule_now()) END
    WHERE id = $1 RETURNING id
), no_more AS (
    DELETE FROM reinvitation WHERE campaign_id = $1 AND nth > $8
), told AS (
    INSERT INTO campaign_audit (at, campaign_id, event, actor, why) SELECT (SELECT bascule_now()), id, 'settings changed', $6, $7 FROM changed
)
SELECT pg_notify('bascule_due', '') FROM changed
