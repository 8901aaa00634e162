-- Tells whether a row that was told to be accepted is not, or is for another reason.
SELECT EXISTS (SELECT FROM contested c JOIN judged j USING (line) WHERE verdict <> 'accepted' OR reason <> told)
