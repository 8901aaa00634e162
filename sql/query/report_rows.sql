-- Counts what became of the rows of the files, each as it was handed in last. $1 is the batch, $2 the campaign, 0 for any.
SELECT count(*) AS files, coalesce(sum(i.rows), 0) AS rows, coalesce(sum(i.accepted + i.unchanged), 0) AS taken,
       coalesce(sum(i.not_due), 0) AS not_due, coalesce(sum(i.excluded + i.rejected), 0) AS refused,
       coalesce(sum(x.excluded), 0) AS still_excluded, coalesce(sum(x.rejected), 0) AS still_rejected
FROM batch b,
     LATERAL (SELECT * FROM import WHERE batch_id = b.id ORDER BY id DESC LIMIT 1) AS i,
     LATERAL (SELECT count(*) FILTER (WHERE verdict = 'excluded') AS excluded, count(*) FILTER (WHERE verdict = 'rejected') AS rejected
              FROM rejected WHERE batch_id = b.id) AS x
WHERE ($1::bigint = 0 OR b.id = $1) AND ($2::bigint = 0 OR b.campaign_id = $2)
