-- Records a report of class $3 on the mail with the code of request $1, generation $2, if this code counts (D11). Its
-- address is free again, unless the mail is only late (D3). The code still works. A graver class replaces a lighter one.
WITH bounced AS (
    UPDATE code c SET bounced_at = (SELECT bascule_now()), bounce = $3
    FROM request r
    WHERE r.id = $1 AND r.generation = $2 AND r.activated_at IS NULL
      AND c.request_id = r.id AND c.generation = r.generation AND c.started_at IS NOT NULL
      AND bounce_gravity(c.bounce) < bounce_gravity($3)
    RETURNING r.id, r.space_id, c.bounced_at
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT bounced_at, space_id, id, 'bounced', 'worker', $3::text FROM bounced
