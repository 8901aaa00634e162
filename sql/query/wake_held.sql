-- Lets up to $2 invitations that campaign $1 holds wait no longer for their address, if their time has come (D16).
UPDATE held SET not_before = NULL
WHERE request_id = ANY (ARRAY(
    SELECT request_id FROM held WHERE campaign_id = $1 AND not_before <= (SELECT bascule_now()) ORDER BY not_before LIMIT $2 FOR UPDATE SKIP LOCKED))
