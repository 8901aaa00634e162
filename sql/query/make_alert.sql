-- Makes an alert to ALERT_EMAIL, with subject $1 and text $2.
INSERT INTO alert (made_at, subject, text) VALUES ((SELECT bascule_now()), $1, $2)
