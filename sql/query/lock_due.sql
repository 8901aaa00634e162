-- Locks up to $2 mails of lane $1 that are due, the longest first. The lock is the claim, until the start commits a claim
-- that lasts. Mails that other workers hold are left to them. Nothing is locked while the breaker is open, except by its
-- probe ($3). If $4, mails whose refusal is on record are left out (D11). The search begins after ($5, $6): this process
-- has the rows before in its hands. If a mail was started before, its holder died and its outcome is lost: that is one more
-- interruption.
SELECT o.ctid AS place, o.id, o.kind, o.space_id, o.request_id, o.generation, o.copy, o.attempts, coalesce(o.blame = 'own', false) AS own_fault,
       o.interruptions + (o.started_at IS NOT NULL)::int AS interruptions, coalesce(o.happened_at, 'epoch') AS happened_at,
       coalesce(o.happened_at > (SELECT bascule_now()) - interval '1 day', true) AS recent, o.due_at,
       CASE WHEN o.campaign_id IS NULL THEN 'running'
            WHEN o.campaign_id = ANY (ARRAY(SELECT id FROM campaign WHERE state = 'running' AND (open_until IS NULL OR open_until > (SELECT bascule_now())))) THEN 'running'
            ELSE (SELECT CASE state WHEN 'running' THEN 'shut' ELSE state END FROM campaign c WHERE c.id = o.campaign_id) END AS campaign,
       coalesce(o.campaign_id, 0) AS campaign_id
FROM obligation o
WHERE o.lane = $1 AND o.due_at <= (SELECT bascule_now())
  AND (o.due_at, o.id) > ($5::timestamptz, $6::bigint)
  AND (o.claimed_until IS NULL OR o.claimed_until <= (SELECT bascule_now()))
  AND ($3 OR NOT EXISTS (SELECT FROM breaker WHERE opened_at IS NOT NULL))
  AND (NOT $4 OR o.blame IS NULL)
ORDER BY o.due_at, o.id
LIMIT $2
FOR UPDATE SKIP LOCKED
