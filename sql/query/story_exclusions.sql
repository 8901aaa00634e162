-- Lists the exclusions that leave space $1 alone at instant $2, oldest first (D17).
SELECT kind, key, reason, made_at, made_by, nullif(ends_at, 'infinity') AS ends_at
FROM space_exclusion WHERE space_id = $1 AND ends_at > $2
ORDER BY id
