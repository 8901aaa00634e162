-- Whether a row that was told to be accepted is not, or for another reason.
SELECT EXISTS (SELECT FROM staged WHERE told IS NOT NULL AND (verdict <> 'accepted' OR reason <> told))
