-- Reads the campaign of name $1, whatever the case.
SELECT id, name, state, why, created_at, coalesce(starts_at, 'epoch') AS starts_at, coalesce(pilot, 0) AS pilot,
       coalesce(per_day, 0) AS per_day, coalesce(min_help, 0) AS min_help, again, tried, message
FROM campaign WHERE lower(name) = lower($1)
