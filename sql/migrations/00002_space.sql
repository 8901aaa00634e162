-- +goose Up

-- The life of a password space: who is in it, and a password that was forgotten.
ALTER TABLE session DROP CONSTRAINT session_scope_check;
ALTER TABLE session ADD CONSTRAINT session_scope_check CHECK (scope IN ('recap', 'space'));
COMMENT ON COLUMN session.scope IS 'recap: the one that an activation opens, good for the recap alone. space: opened by address and password.';
CREATE INDEX session_space ON session (space_id);

ALTER TABLE obligation DROP CONSTRAINT obligation_kind_check;
ALTER TABLE obligation ADD CONSTRAINT obligation_kind_check
    CHECK (kind IN ('code', 'notice', 'switch-notice', 'confirmation', 'expired', 'reset', 'password-notice', 'siege-notice', 'recap', 'expiry'));

CREATE TABLE reset (
    request_id   bigint      NOT NULL REFERENCES request,
    generation   integer     NOT NULL,
    key_id       text        NOT NULL,
    nonce        bytea       NOT NULL CHECK (octet_length(nonce) = 16),
    requested_at timestamptz NOT NULL,
    tag          bigint,
    started_at   timestamptz,
    expires_at   timestamptz,
    used_at      timestamptz,
    PRIMARY KEY (request_id, generation),
    CHECK (num_nonnulls(tag, started_at, expires_at) IN (0, 3)),
    CHECK (used_at IS NULL OR used_at < expires_at)
);
COMMENT ON TABLE  reset IS 'A new password was asked for by address and trust answer (R31); the code that is mailed lets choose one, once.';
COMMENT ON COLUMN reset.request_id IS 'The request that switched the space.';
COMMENT ON COLUMN reset.generation IS 'Counts them; only the latest is good.';
COMMENT ON COLUMN reset.tag IS 'As code.tag.';
COMMENT ON COLUMN reset.started_at IS 'When its mail began to be handed over: the delay counts from here.';
CREATE INDEX reset_tag ON reset (tag);

ALTER TABLE obligation ADD CONSTRAINT obligation_notice_dated
    CHECK (happened_at IS NOT NULL OR kind NOT IN ('notice', 'switch-notice', 'password-notice', 'siege-notice'));

CREATE TABLE siege (
    space_id bigint      PRIMARY KEY REFERENCES space,
    began_at timestamptz NOT NULL,
    last_at  timestamptz NOT NULL,
    told_at  timestamptz NOT NULL
);
COMMENT ON TABLE  siege IS 'The password spaces at which strangers guessed until they were stopped: the latest time for each.';
COMMENT ON COLUMN siege.began_at IS 'When the guesses were first stopped, after a day without.';
COMMENT ON COLUMN siege.last_at IS 'When they were last stopped.';
COMMENT ON COLUMN siege.told_at IS 'When a mail to the owner was made due: one a day.';
CREATE INDEX siege_last ON siege (last_at);

-- As before; and whoever was mailed a code is told that it is over, and how to
-- start again (R21). A mail that came back is not followed by another.
CREATE OR REPLACE FUNCTION expire_requests(ids bigint[], at timestamptz, actor text) RETURNS bigint LANGUAGE sql AS $$
    WITH expired AS (
        UPDATE request r
        SET expired_at = at, password_hash = NULL, question = NULL, answer_hash = NULL
        WHERE r.id = ANY (ids) AND request_is_open(r) AND r.expires_at <= at
        RETURNING r.id, r.space_id, request_current(r) AS generation, r.mailed_at IS NOT NULL AND r.bounced_at IS NULL AS reached
    ), told AS (
        INSERT INTO obligation (lane, kind, request_id, generation, due_at)
        SELECT 'bulk', 'expired', id, generation, at FROM expired WHERE reached
    ), audited AS (
        INSERT INTO audit (at, space_id, request_id, event, actor, why)
        SELECT at, space_id, id, 'expired', actor, 'deadline' FROM expired
        RETURNING 1
    )
    SELECT count(*) FROM audited
$$;

-- +goose Down
-- There is no way back (R4).
SELECT 1/0;
