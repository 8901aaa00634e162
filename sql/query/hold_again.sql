-- Gives the invitations $1, which have not started, back to their campaigns, which hold them until the instants $2 (D16).
WITH gone AS (
    DELETE FROM obligation WHERE id = ANY ($1)
    RETURNING id, request_id, generation, space_id, campaign_id
)
INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires, not_before)
SELECT g.request_id, g.generation, g.space_id, g.campaign_id, s.priority, s.certificate_expires, i.at
FROM gone g JOIN unnest($1::bigint[], $2::timestamptz[]) AS i (id, at) USING (id), LATERAL (SELECT * FROM space s WHERE s.id = g.space_id LIMIT 1) AS s
