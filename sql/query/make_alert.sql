-- Has subject $1 and text $2 mailed to ALERT_EMAIL.
INSERT INTO alert (made_at, subject, text) VALUES ((SELECT bascule_now()), $1, $2)
