-- Expires request $1 if it is overdue at $2: an index cannot read the clock.
SELECT expire_requests(ARRAY[$1::bigint], $2, 'subscriber')
