-- Of which open campaigns rows of this file were rejected before: one that was corrected goes on in its campaign (D12).
INSERT INTO rejected_before (campaign_id)
SELECT b.campaign_id FROM rejected x JOIN batch b ON b.id = x.batch_id JOIN staged s ON s.number = x.number
WHERE x.number <> '' AND campaign_is_open(b.campaign_id)
