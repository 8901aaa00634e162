-- Seconds until bucket $1 takes another attempt: it leaks one each $2 seconds and holds $3.
SELECT coalesce((SELECT greatest(0, extract(epoch FROM empty_at - (SELECT bascule_now())) - ($3::float8 - 1) * $2::float8)
                 FROM throttle WHERE bucket = $1), 0)::float8
