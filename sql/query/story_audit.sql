SELECT at, request_id, event, actor, why FROM audit WHERE space_id = $1 ORDER BY id
