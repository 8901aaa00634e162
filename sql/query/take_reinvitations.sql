-- Takes up to $1 invitations to come whose time is here, of any campaign, the longest due first (D16). Counts them, and
-- lists the requests that they follow. An invitation that its campaign does not want any more is dropped.
WITH taken AS MATERIALIZED (
    DELETE FROM reinvitation
    WHERE request_id = ANY (ARRAY(
        SELECT request_id FROM reinvitation WHERE at <= (SELECT bascule_now()) ORDER BY at, request_id LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING request_id, campaign_id, nth
)
SELECT count(*) AS taken, coalesce(array_agg(t.request_id ORDER BY t.request_id) FILTER (
    WHERE t.nth <= (SELECT c.again FROM campaign c WHERE c.id = t.campaign_id)), '{}') AS requests
FROM taken t
