-- Rows whose space got a request from elsewhere in the meantime are judged again.
UPDATE staged SET verdict = NULL, reason = '' WHERE verdict = 'accepted' AND action IN ('new', 'restart')
