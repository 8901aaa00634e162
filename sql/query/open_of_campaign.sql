-- Lists the open requests of campaign $1; if $2, only invitations whose code never started.
SELECT r.id FROM request r JOIN code c ON c.request_id = r.id AND c.generation = r.generation
WHERE r.campaign_id = $1 AND request_is_open(r) AND (NOT $2 OR c.started_at IS NULL AND c.purpose = 'identify') ORDER BY r.id
