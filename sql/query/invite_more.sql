-- Makes the invitations to come that campaign $1 wants now, as it invites again $2 times, on the next day that is ahead
-- (D16). A request that expires in this instant may be left out.
INSERT INTO reinvitation (request_id, campaign_id, nth, at)
SELECT r.id, r.campaign_id, before.n + 1, next.at
FROM (SELECT bascule_now() AS now) AS clock, request r JOIN space s ON s.id = r.space_id,
     LATERAL (SELECT next_invitation(s.certificate_expires, clock.now) AS at) AS next,
     LATERAL (SELECT count(*) FILTER (WHERE o.origin = 'retry') - (min(o.id) FILTER (WHERE o.origin = 'retry') IS NOT DISTINCT FROM min(o.id))::int AS n
              FROM request o WHERE o.space_id = r.space_id AND o.campaign_id = r.campaign_id) AS before -- as expire_requests counts
WHERE r.campaign_id = $1 AND r.expired_at IS NOT NULL AND next.at IS NOT NULL AND before.n < $2
  AND NOT EXISTS (SELECT FROM request l WHERE l.space_id = r.space_id AND l.id > r.id)
ON CONFLICT DO NOTHING
