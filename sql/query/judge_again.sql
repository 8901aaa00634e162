-- Takes back the verdicts that came from the database.
DELETE FROM judged WHERE action IS NOT NULL
