-- +goose Up

-- All SQL reads the time here, and only here. Test databases replace the body by one with an offset; the application's
-- role may not. Statements call it as (SELECT bascule_now()): one instant, usable by an index.
CREATE FUNCTION bascule_now() RETURNS timestamptz
    LANGUAGE sql VOLATILE RETURN clock_timestamp();

CREATE TABLE campaign (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL CHECK (name <> '' AND length(name) <= 100 AND name !~ '[[:cntrl:]]'),
    state      text        COLLATE "C" NOT NULL DEFAULT 'prepared' CHECK (state IN ('prepared', 'running', 'paused', 'cancelled', 'closed')),
    why        text        NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    starts_at  timestamptz,
    pilot      bigint      CHECK (pilot > 0),
    per_day    integer     CHECK (per_day > 0),
    min_help   integer     CHECK (min_help > 0),
    again      smallint    NOT NULL DEFAULT 3 CHECK (again BETWEEN 0 AND 4),
    open_until timestamptz,
    watched_from timestamptz,
    message    text        NOT NULL DEFAULT '' CHECK (length(message) <= 1000),
    tried      text        COLLATE "C" NOT NULL DEFAULT ''
);
COMMENT ON TABLE  campaign IS 'A campaign stands above batches (D12). Its invitations start only while it is running.';
COMMENT ON COLUMN campaign.why IS 'The reason of its state, in the words of who changed it: a person, or a worker (D15).';
COMMENT ON COLUMN campaign.starts_at IS 'None of its invitations starts before this instant.';
COMMENT ON COLUMN campaign.pilot IS 'The campaign pauses once this many of its invitations have started. Null: it does not.';
COMMENT ON COLUMN campaign.per_day IS 'How many invitations start on a day in Paris at the most (D13). Null: no limit.';
COMMENT ON COLUMN campaign.min_help IS 'How many minutes of assistance the lifetime of a code holds at the least (D14). Null: it does not matter.';
COMMENT ON COLUMN campaign.again IS 'How many times the campaign invites a subscriber again whose code expired (D16).';
COMMENT ON COLUMN campaign.open_until IS 'Before this instant an invitation that starts has enough assistance ahead. A release looks one to two minutes ahead. Null: assistance does not matter.';
COMMENT ON COLUMN campaign.watched_from IS 'Signals since this instant count towards stopping the campaign (D15).';
COMMENT ON COLUMN campaign.message IS 'A paragraph of the administration''s own in its invitations and reminders; '''' for none.';
COMMENT ON COLUMN campaign.tried IS 'Digest of the texts of the latest trial that was sent to somebody; '''' for none.';
CREATE UNIQUE INDEX campaign_name ON campaign (lower(name));

CREATE TABLE campaign_audit (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL,
    campaign_id bigint      NOT NULL REFERENCES campaign,
    event       text        NOT NULL,
    actor       text        NOT NULL CHECK (actor <> '' AND length(actor) <= 256 AND actor !~ '[[:cntrl:]]'),
    why         text        NOT NULL DEFAULT ''
);
COMMENT ON TABLE campaign_audit IS 'One row for each change of a campaign, append-only (I9).';
CREATE INDEX campaign_audit_campaign ON campaign_audit (campaign_id, id);

CREATE TABLE person (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL,
    account text        COLLATE "C" NOT NULL CHECK (account <> '' AND length(account) <= 256 AND account !~ '[[:cntrl:]]'),
    name    text        NOT NULL CHECK (name <> ''),
    roles   text[]      NOT NULL CHECK (roles <@ ARRAY['lecture', 'assistance', 'préparation', 'lancement']),
    actor   text        NOT NULL CHECK (actor <> '' AND length(actor) <= 256 AND actor !~ '[[:cntrl:]]')
);
COMMENT ON TABLE  person IS 'Who may act (D18): one row for each change, append-only. The latest row of an account counts; without roles the person is removed.';
COMMENT ON COLUMN person.account IS 'The account on the machine, by which the audit log names the person.';
CREATE INDEX person_account ON person (account, id);

CREATE TABLE alert (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_at timestamptz NOT NULL,
    subject text        NOT NULL,
    text    text        NOT NULL
);
COMMENT ON TABLE  alert IS 'A mail to ALERT_EMAIL; gone once it is sent.';
COMMENT ON COLUMN alert.text IS 'French, one line per line.';

CREATE TABLE worker (
    id      uuid        PRIMARY KEY,
    version text        NOT NULL,
    texts   text        COLLATE "C" NOT NULL,
    trouble text        NOT NULL DEFAULT '',
    seen_at timestamptz NOT NULL
);
COMMENT ON TABLE  worker IS 'A process that mails: it says every few seconds that it is alive. Gone when it stops, or a day after it died.';
COMMENT ON COLUMN worker.version IS 'Which program it runs.';
COMMENT ON COLUMN worker.trouble IS 'What to do about Redis, without which it does not work; '''' while that answers.';
COMMENT ON COLUMN worker.texts IS 'Digest of the texts that its mails are made of, the message of a campaign apart.';

CREATE TABLE batch (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_id bigint      NOT NULL REFERENCES campaign,
    sha256      bytea       NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),
    file_name   text        NOT NULL,
    sheet       text        NOT NULL,
    created_at  timestamptz NOT NULL
);
COMMENT ON TABLE  batch IS 'One spreadsheet handed in by an administrator. The same bytes are the same batch.';
COMMENT ON COLUMN batch.campaign_id IS 'The campaign of its rows whose space is in no campaign yet.';
COMMENT ON COLUMN batch.sha256 IS 'Of the file''s bytes.';

CREATE TABLE import (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id   bigint      NOT NULL REFERENCES batch,
    at         timestamptz NOT NULL,
    actor      text        NOT NULL CHECK (actor <> '' AND length(actor) <= 256 AND actor !~ '[[:cntrl:]]'),
    rows       integer     NOT NULL,
    accepted   integer     NOT NULL,
    unchanged  integer     NOT NULL,
    not_due    integer     NOT NULL,
    excluded   integer     NOT NULL,
    rejected   integer     NOT NULL,
    CHECK (accepted + unchanged + not_due + excluded + rejected = rows)
);
COMMENT ON TABLE import IS 'One run of a batch: the same file may be handed in again, and is judged again.';
CREATE INDEX import_batch ON import (batch_id);

CREATE TABLE rejected (
    batch_id bigint  NOT NULL REFERENCES batch,
    line     integer NOT NULL,
    number   text    NOT NULL,
    verdict  text    NOT NULL CHECK (verdict IN ('rejected', 'excluded')),
    cell     text    NOT NULL,
    reason   text    NOT NULL,
    PRIMARY KEY (batch_id, line)
);
COMMENT ON TABLE  rejected IS 'The rows that the latest run of a batch rejected or excluded (D17). A row that a later file has again belongs to that batch.';
COMMENT ON COLUMN rejected.number IS 'The subscriber number, '''' if it could not be read.';
COMMENT ON COLUMN rejected.reason IS 'French, as the administrator reads it.';

CREATE TABLE space (
    id                  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number              text        COLLATE "C" NOT NULL,
    holder              text        NOT NULL,
    contact_email       text        NOT NULL,
    contact_key         text        COLLATE "C" NOT NULL,
    serial              text        COLLATE "C" NOT NULL,
    issuer              text        NOT NULL,
    certificate_expires date        NOT NULL,
    priority            smallint    NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 9),
    companies           jsonb       NOT NULL DEFAULT '[]',
    contents            uuid        NOT NULL,
    access              text        NOT NULL DEFAULT 'certificate' CHECK (access IN ('certificate', 'password')),
    switched_at         timestamptz,
    email               text,
    email_key           text        COLLATE "C",
    password_hash       text,
    question            text,
    answer_hash         text,
    CONSTRAINT space_number UNIQUE (number),
    CONSTRAINT space_password_complete CHECK (
        access = 'certificate' AND num_nonnulls(switched_at, email, email_key, password_hash, question, answer_hash) = 0
        OR access = 'password' AND num_nulls(switched_at, email, email_key, password_hash, question, answer_hash) = 0)
) WITH (fillfactor = 90);
COMMENT ON TABLE  space IS 'A professional subscriber''s account.';
COMMENT ON COLUMN space.number IS 'The subscriber number, as typed. It never changes (R5).';
COMMENT ON COLUMN space.contact_email IS 'The address of the contact details, as typed.';
COMMENT ON COLUMN space.contact_key IS 'The contact address in the form by which two addresses are the same.';
COMMENT ON COLUMN space.serial IS 'The certificate''s serial number: lower-case hexadecimal without leading zeros.';
COMMENT ON COLUMN space.issuer IS 'The certificate''s issuer as the sheet wrote it, '''' if it had none.';
COMMENT ON COLUMN space.priority IS 'The order in which invitations leave: 1 first (D13).';
COMMENT ON COLUMN space.companies IS 'Companies and services, [{siren, name, services}]: only ever read and replaced whole.';
COMMENT ON COLUMN space.contents IS 'Digest of the sheet''s row, companies apart: equal means that the row is held already (D9).';
COMMENT ON COLUMN space.access IS 'How the space is entered. certificate becomes password, never back (R4, I2).';
COMMENT ON COLUMN space.email IS 'The identifier of a password space, as typed. Its owner may change it, for an address proven by its own code.';
COMMENT ON COLUMN space.password_hash IS 'Argon2id, PHC format (R17).';
COMMENT ON COLUMN space.answer_hash IS 'Argon2id of the normalised trust answer (R18).';
-- R6, I4: one address, one password space.
CREATE UNIQUE INDEX space_password_email ON space (email_key) WHERE access = 'password';
CREATE INDEX space_contact ON space (contact_key);
CREATE INDEX space_certificate ON space (serial);
CREATE INDEX space_siren ON space USING gin (jsonb_path_query_array(companies, '$[*].siren') jsonb_path_ops) WHERE companies <> '[]';

CREATE TABLE request (
    id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    space_id         bigint      NOT NULL REFERENCES space,
    batch_id         bigint      REFERENCES batch,
    campaign_id      bigint      REFERENCES campaign,
    origin           text        NOT NULL CHECK (origin IN ('import', 'retry', 'space')),
    generation       integer     NOT NULL DEFAULT 1,
    other_addresses  smallint    NOT NULL DEFAULT 0,
    password_hash    text,
    question         text,
    answer_hash      text,
    submission       uuid,
    requested_at     timestamptz NOT NULL,
    activated_at     timestamptz,
    expired_at       timestamptz,
    undeliverable_at timestamptz,
    cancelled_at     timestamptz,
    CONSTRAINT request_one_end CHECK (num_nonnulls(activated_at, expired_at, undeliverable_at, cancelled_at) <= 1),
    CONSTRAINT request_credentials CHECK (num_nonnulls(password_hash, question, answer_hash) IN (0, 3)),
    CONSTRAINT request_hashes_erased CHECK (password_hash IS NULL
        OR num_nonnulls(activated_at, expired_at, undeliverable_at, cancelled_at) = 0)
) WITH (fillfactor = 90);
COMMENT ON TABLE  request IS 'One attempt to move one space from certificate to password: its origin, the choices of the subscriber, and its end. request_state derives its state from it and the code that counts.';
COMMENT ON COLUMN request.campaign_id IS 'The campaign that invites; null for the certificate holder''s own request. It never changes.';
COMMENT ON COLUMN request.origin IS 'import: a batch; retry: an administrator''s; space: the certificate holder''s own.';
COMMENT ON COLUMN request.generation IS 'The code that counts: the latest code that is not void; of an ended request, the last code that counted.';
COMMENT ON COLUMN request.other_addresses IS 'How many other addresses were chosen; three at most (D1).';
COMMENT ON COLUMN request.password_hash IS 'The password that a subscriber chose before the address was proven: the code that counts activates it (D1, D8). Gone with the end.';
COMMENT ON COLUMN request.submission IS 'The form that the request took last; the same form again gets the same page.';
-- I4: at most one open request for a space.
CREATE UNIQUE INDEX request_open ON request (space_id)
    WHERE activated_at IS NULL AND expired_at IS NULL AND undeliverable_at IS NULL AND cancelled_at IS NULL;
CREATE INDEX request_space ON request (space_id, id);

-- Its text differs from the condition of that index on purpose. No plan may read all open requests through the index
-- where a request is found by its key or by its space.
CREATE FUNCTION request_is_open(r request) RETURNS boolean LANGUAGE sql IMMUTABLE
    RETURN num_nonnulls(r.activated_at, r.expired_at, r.undeliverable_at, r.cancelled_at) = 0;

CREATE TABLE code (
    request_id bigint      NOT NULL,
    generation integer     NOT NULL CHECK (generation > 0),
    purpose    text        COLLATE "C" NOT NULL CHECK (purpose IN ('identify', 'activate', 'reset', 'identifier')),
    email      text        NOT NULL,
    email_key  text        COLLATE "C" NOT NULL,
    key_id     text        COLLATE "C" NOT NULL,
    nonce      bytea       NOT NULL CHECK (octet_length(nonce) = 16),
    tag        bigint,
    resends    smallint    NOT NULL DEFAULT 0 CHECK (resends BETWEEN 0 AND 3),
    doubts     smallint    NOT NULL DEFAULT 0,
    in_doubt   boolean     NOT NULL DEFAULT false,
    refusal    text        NOT NULL DEFAULT '',
    bounce     text        CHECK (bounce IN ('late', 'full or policy', 'gone', 'complaint')),
    bounced_at timestamptz,
    started_at timestamptz,
    expires_at timestamptz,
    mailed_at  timestamptz,
    void_at    timestamptz,
    typed_at   timestamptz,
    reminded_at timestamptz,
    PRIMARY KEY (request_id, generation),
    CONSTRAINT code_started CHECK ((started_at IS NULL) = (expires_at IS NULL) AND (mailed_at IS NULL OR started_at IS NOT NULL)),
    CONSTRAINT code_lifetime CHECK (expires_at > started_at AND expires_at <= started_at + interval '60 days'),
    CONSTRAINT code_bounced CHECK ((bounced_at IS NULL) = (bounce IS NULL))
) WITH (fillfactor = 35);
COMMENT ON TABLE  code IS 'One code, made for one address, with the fate of its mail. The code itself is computed from the key and the nonce, never stored. No foreign key: only statements that lock the request write here.';
COMMENT ON COLUMN code.generation IS 'Counts the codes of a request.';
COMMENT ON COLUMN code.purpose IS 'identify: it opens the identifiers screen. activate: it proves the address that the subscriber chose, and activates (D1, D8). reset: it opens the choice of a new password of a switched space (R31). identifier: it proves another address, which its owner wants as identifier (R6).';
COMMENT ON COLUMN code.email IS 'The address that it is mailed to and proves.';
COMMENT ON COLUMN code.key_id IS 'The key of SECRET_KEY that makes it.';
COMMENT ON COLUMN code.nonce IS 'Its random part.';
COMMENT ON COLUMN code.tag IS 'Finds the code without telling it: 8 bytes of an HMAC under a key that the database does not hold. An import writes that of a first code, the start of its mail that of any other.';
COMMENT ON COLUMN code.resends IS 'How often an administrator had it sent again; three times at most (D3).';
COMMENT ON COLUMN code.doubts IS 'How often the fate of its mail was in doubt: copies of one Message-ID are at most one more (I5).';
COMMENT ON COLUMN code.in_doubt IS 'Mailed as far as can be known: the relay''s answer was lost three times.';
COMMENT ON COLUMN code.refusal IS 'The relay''s last words about its mail, addresses masked.';
COMMENT ON COLUMN code.bounce IS 'The class of the gravest report on its mail so far (D11); it came at bounced_at.';
COMMENT ON COLUMN code.started_at IS 'When the hand-over of its mail began: the deadline counts from here (D4). Taken back if the hand-over certainly failed.';
COMMENT ON COLUMN code.expires_at IS 'It works before this instant, not at it (I3).';
COMMENT ON COLUMN code.void_at IS 'The code is dead: another code took its place, its address was refused, it was used up, its key leaked, or its request ended before the deadline.';
COMMENT ON COLUMN code.typed_at IS 'When somebody first typed it: its owner needs no reminder (D16).';
COMMENT ON COLUMN code.reminded_at IS 'When its one reminder was made due (D16).';
-- R22: at most one open request for an address that a subscriber chose. A bounce lifts the reservation, unless the mail
-- is only late: it may still arrive.
CREATE UNIQUE INDEX code_reserved ON code (email_key)
    WHERE purpose = 'activate' AND void_at IS NULL AND (bounce IS NULL OR bounce = 'late');
CREATE INDEX code_tag ON code (tag);
-- No index reads started_at, expires_at, mailed_at, refusal or in_doubt: marking mails stays a HOT update. Mails are
-- started and finished by windows of neighbours, so a page has room for a second and a third version of every row on it.

CREATE TABLE deadline (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL,
    until    timestamptz,
    requests bigint[]    NOT NULL
);
COMMENT ON TABLE  deadline IS 'When to look whether requests have expired: one row for up to 64 codes that started together. The rows of the codes decide.';
COMMENT ON COLUMN deadline.until IS 'The deadline, while the look at half time is still to come (D16). Null: at is the deadline.';
CREATE INDEX deadline_at ON deadline (at, id);

-- Each request with the code that counts. Queries read here what they tell of a request.
CREATE VIEW request_code AS
    SELECT r.id, r.space_id, r.batch_id, r.campaign_id, r.origin, r.generation, r.submission, r.requested_at,
           r.activated_at, r.expired_at, r.undeliverable_at, r.cancelled_at,
           c.purpose, c.email, c.email_key, c.key_id, c.nonce, c.resends, c.in_doubt, c.refusal, c.bounce, c.bounced_at,
           c.started_at, c.expires_at, c.mailed_at
    FROM request r JOIN code c ON c.request_id = r.id AND c.generation = r.generation;

-- This function alone derives the state. An overdue request is expired whether or not the sweep has come by.
CREATE FUNCTION request_state(r request_code, at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN r.activated_at     IS NOT NULL THEN 'activated'
        WHEN r.cancelled_at     IS NOT NULL THEN 'cancelled'
        WHEN r.undeliverable_at IS NOT NULL THEN 'undeliverable'
        WHEN r.expired_at       IS NOT NULL OR r.expires_at <= at THEN 'expired'
        WHEN r.mailed_at        IS NOT NULL THEN 'mailed'
        ELSE 'requested'
    END
$$;

CREATE FUNCTION is_open(r request_code) RETURNS boolean LANGUAGE sql IMMUTABLE
    RETURN num_nonnulls(r.activated_at, r.expired_at, r.undeliverable_at, r.cancelled_at) = 0;

-- How grave a bounce is: 0 for none. A graver one replaces a lighter one (D11).
CREATE FUNCTION bounce_gravity(class text) RETURNS integer LANGUAGE sql IMMUTABLE
    RETURN coalesce(array_position(ARRAY['late', 'full or policy', 'gone', 'complaint'], class), 0);

-- Tells whether the code sat in a queue until it was dead (D11): its owner never received it in time.
CREATE FUNCTION request_not_delivered(r request_code, at timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(r.bounce = 'late', false) AND request_state(r, at) = 'expired'
$$;

CREATE TABLE exclusion (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text        COLLATE "C" NOT NULL CHECK (kind IN ('address', 'domain', 'number')),
    key         text        COLLATE "C" NOT NULL,
    reason      text        NOT NULL CHECK (reason <> ''),
    made_at     timestamptz NOT NULL,
    made_by     text        NOT NULL,
    ends_at     timestamptz NOT NULL DEFAULT 'infinity',
    lifted_by   text        NOT NULL DEFAULT '',
    lift_reason text        NOT NULL DEFAULT ''
);
COMMENT ON TABLE  exclusion IS 'Somebody who is not invited or reminded (D17). Rows are never deleted: an exclusion that ended tells the past.';
COMMENT ON COLUMN exclusion.key IS 'An address in the form by which two addresses are the same, a domain in its ASCII form, or a subscriber number.';
COMMENT ON COLUMN exclusion.reason IS 'The words of the administrator who excluded; complaint: a report of abuse came.';
COMMENT ON COLUMN exclusion.made_by IS 'worker for a complaint, else the administrator''s account on the machine.';
COMMENT ON COLUMN exclusion.ends_at IS 'The exclusion holds before this instant; infinity: until somebody lifts it.';
CREATE INDEX exclusion_key ON exclusion (key, kind);

-- The exclusions that name a space: by its contact address, the domain of that address, or its number. A query for a
-- space reaches them by the key alone. It needs no statistics, and never reads all spaces.
CREATE VIEW space_exclusion AS
    SELECT s.id AS space_id, x.*
    FROM space s,
         LATERAL (VALUES ('address', s.contact_key), ('domain', split_part(s.contact_key, '@', 2)), ('number', s.number)) AS n (kind, key)
         JOIN exclusion x ON x.kind = n.kind AND x.key = n.key;

CREATE FUNCTION left_alone(space bigint, at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM space_exclusion x WHERE x.space_id = space AND x.ends_at > at)
$$;

-- Tells whether the code that counts may not be sent again (D17): its space is left alone, or the chosen address is.
CREATE FUNCTION code_left_alone(r request_code, at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN r.purpose = 'identify' THEN left_alone(r.space_id, at)
        ELSE EXISTS (SELECT FROM exclusion x WHERE x.kind = 'address' AND x.key = r.email_key AND x.ends_at > at) END
$$;

-- Tells whether invitations may still be added to a campaign, and leave (D12).
CREATE FUNCTION campaign_is_open(campaign bigint) RETURNS boolean LANGUAGE sql STABLE
    RETURN EXISTS (SELECT FROM campaign c WHERE c.id = campaign AND c.state IN ('prepared', 'running', 'paused'));

-- D10: the reason why retry may not open another request after r, the latest of space s; '' if there is none. Retry
-- decides by it, and show tells it. A cancelled request is followed by another only if its number was named. A campaign
-- that is over takes no request; another campaign may.
CREATE FUNCTION retry_obstacle(r request_code, s space, at timestamptz, same_address boolean, named boolean, elsewhere boolean) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN r.id IS NULL THEN 'never_invited'
        WHEN s.access = 'password' THEN 'switched'
        WHEN request_state(r, at) IN ('requested', 'mailed') THEN 'open'
        WHEN left_alone(s.id, at) THEN 'excluded'
        WHEN r.cancelled_at IS NOT NULL AND NOT named THEN 'cancelled'
        WHEN r.campaign_id IS NOT NULL AND NOT elsewhere AND NOT campaign_is_open(r.campaign_id) THEN 'closed'
        WHEN same_address OR r.email_key <> s.contact_key THEN ''
        WHEN r.undeliverable_at IS NOT NULL THEN 'refused'
        WHEN r.bounce = 'gone' THEN 'bounced'
        ELSE ''
    END
$$;

CREATE TABLE obligation (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane          text        COLLATE "C" NOT NULL CHECK (lane IN ('interactive', 'bulk', 'recap')),
    kind          text        COLLATE "C" NOT NULL CHECK (kind IN ('code', 'reminder', 'reset', 'identifier', 'identifier-notice', 'notice', 'switch-notice', 'confirmation', 'expired',
                                                                'password-notice', 'siege-notice', 'recap')),
    space_id      bigint      NOT NULL,
    request_id    bigint      NOT NULL,
    generation    integer     NOT NULL,
    campaign_id   bigint,
    copy          smallint    NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL,
    claim         uuid,
    claimed_until timestamptz,
    started_at    timestamptz,
    message_date  timestamptz,
    attempts      smallint    NOT NULL DEFAULT 0,
    interruptions smallint    NOT NULL DEFAULT 0,
    happened_at   timestamptz,
    blame         text        COLLATE "C" CHECK (blame IN ('open', 'excused', 'own')),
    CONSTRAINT obligation_dated CHECK (happened_at IS NOT NULL OR kind NOT IN ('reset', 'identifier', 'identifier-notice', 'notice', 'switch-notice', 'password-notice', 'siege-notice'))
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE  obligation IS 'A mail to send or a recap to render: written by the change that causes it, gone once done. No foreign key: requests are never deleted while something is due.';
COMMENT ON COLUMN obligation.lane IS 'The workers that take it. interactive: somebody looks at the screen.';
COMMENT ON COLUMN obligation.generation IS 'The code that it is about.';
COMMENT ON COLUMN obligation.campaign_id IS 'The mail starts only while this campaign is running; null: nobody holds it back.';
COMMENT ON COLUMN obligation.copy IS '0 for the mail itself, 1 to 3 for an administrator''s repetitions (D3).';
COMMENT ON COLUMN obligation.claim IS 'Token of the worker that holds it until claimed_until.';
COMMENT ON COLUMN obligation.started_at IS 'Set during the hand-over of its mail. If it is still set after the claim has ended, the outcome is in doubt.';
COMMENT ON COLUMN obligation.message_date IS 'The Date of the mail, kept while a repetition would be a copy of it.';
COMMENT ON COLUMN obligation.attempts IS 'Refusals that count towards giving up (D11).';
COMMENT ON COLUMN obligation.interruptions IS 'Doubts recorded: copies of one Message-ID are at most one more (I5).';
COMMENT ON COLUMN obligation.happened_at IS 'The instant of the event that a notice tells, or of the request for a new password; null for other mails.';
COMMENT ON COLUMN obligation.blame IS 'Whose fault a refusal of its mail without a clear reason is (D11). open: unknown, as no mail got through since. excused: the relay''s, so its attempt was given back, once; or the relay refused us. own: the recipient''s, as another mail got through, or as it was refused again after it was excused. Null: there was no such refusal.';
CREATE INDEX obligation_due ON obligation (lane, due_at, id);
CREATE INDEX obligation_blame ON obligation (blame, id) WHERE blame IS NOT NULL;

CREATE TABLE held (
    request_id  bigint   PRIMARY KEY,
    generation  integer  NOT NULL,
    space_id    bigint   NOT NULL,
    campaign_id bigint   NOT NULL,
    priority    smallint NOT NULL,
    expires     date     NOT NULL,
    not_before  timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE  held IS 'An invitation that its campaign has not released yet. A release makes it an obligation. Its request is open, and its code has never started.';
COMMENT ON COLUMN held.priority IS '1 to 9, the first leaves first (D13).';
COMMENT ON COLUMN held.expires IS 'The last day of the certificate.';
COMMENT ON COLUMN held.not_before IS 'When its address may have another mail (D16), or is no longer left alone (D17). Null: now.';
CREATE INDEX held_order ON held (campaign_id, priority, expires, request_id) WHERE not_before IS NULL;
CREATE INDEX held_waiting ON held (campaign_id, not_before) WHERE not_before IS NOT NULL;

-- Tells until when a space is not invited again at an address (D16). That is two days after the latest invitation there, of
-- any of its requests. Null: it may be at once.
CREATE FUNCTION invited_until(space bigint, address text) RETURNS timestamptz LANGUAGE sql VOLATILE
    SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT max(c.started_at) + interval '2 days' FROM request r, LATERAL (
        SELECT c.started_at FROM code c
        WHERE c.request_id = r.id AND c.purpose = 'identify' AND c.email_key = address AND c.mailed_at IS NOT NULL
          AND c.started_at > (SELECT bascule_now()) - interval '2 days' OFFSET 0) AS c
    WHERE r.space_id = space
$$;

CREATE TABLE allowance (
    email_key text    COLLATE "C" NOT NULL,
    day       date    NOT NULL,
    mails     integer NOT NULL,
    granted   integer NOT NULL,
    PRIMARY KEY (email_key, day)
);
COMMENT ON TABLE  allowance IS 'How many mails of campaigns started on a day to an address that several spaces share, and did not certainly fail (D16).';
COMMENT ON COLUMN allowance.day IS 'In Paris.';
COMMENT ON COLUMN allowance.granted IS 'How many of those that wanted to start last did.';

CREATE TABLE reinvitation (
    request_id  bigint      PRIMARY KEY,
    campaign_id bigint      NOT NULL,
    nth         smallint    NOT NULL,
    at          timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE  reinvitation IS 'An invitation to come. A request expired that is the latest of its space, and belonged to a campaign (D16). Another request of the space takes its place.';
COMMENT ON COLUMN reinvitation.request_id IS 'The request that expired.';
COMMENT ON COLUMN reinvitation.nth IS 'Its number among the further invitations of the campaign, 1 for the first.';
CREATE INDEX reinvitation_at ON reinvitation (at, request_id);

-- The next instant to invite a subscriber again whose code expired, by the day on which the certificate ends (D16). It is
-- 30, 15, 7 or 2 days before, when the day begins in Paris. Null: none is ahead. As it is one expression, a statement does
-- not call it for each row.
CREATE FUNCTION next_invitation(certificate date, at timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE
    RETURN (certificate - CASE
        WHEN certificate - 30 >= at AT TIME ZONE 'Europe/Paris' THEN 30
        WHEN certificate - 15 >= at AT TIME ZONE 'Europe/Paris' THEN 15
        WHEN certificate - 7 >= at AT TIME ZONE 'Europe/Paris' THEN 7
        WHEN certificate - 2 >= at AT TIME ZONE 'Europe/Paris' THEN 2
    END)::timestamp AT TIME ZONE 'Europe/Paris';

-- Each statement that adds an obligation wakes Dispatch. The tick of Dispatch makes up for lost wake-ups.
-- +goose StatementBegin
CREATE FUNCTION wake_dispatch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('bascule_due', '');
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER obligation_wakes_dispatch AFTER INSERT ON obligation
    FOR EACH STATEMENT EXECUTE FUNCTION wake_dispatch();

CREATE TABLE breaker (
    singleton boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
    opened_at timestamptz,
    probe_at  timestamptz,
    reason    text        NOT NULL DEFAULT '',
    CONSTRAINT breaker_probed CHECK ((opened_at IS NULL) = (probe_at IS NULL))
);
COMMENT ON TABLE  breaker IS 'One row: whether the relay takes our mail, shared by all workers (D11).';
COMMENT ON COLUMN breaker.opened_at IS 'Null while mail flows.';
COMMENT ON COLUMN breaker.probe_at IS 'When one mail may be tried.';
INSERT INTO breaker DEFAULT VALUES;

CREATE TABLE recap (
    request_id  bigint      PRIMARY KEY REFERENCES request,
    facts       jsonb       NOT NULL,
    pdf         bytea,
    sha256      bytea,
    rendered_at timestamptz,
    CHECK (num_nonnulls(pdf, sha256, rendered_at) IN (0, 3))
);
COMMENT ON TABLE  recap IS 'The document that the subscriber keeps (R28). The facts are frozen by the activation.';
COMMENT ON COLUMN recap.pdf IS 'Null until rendered; the same facts give the same bytes.';
CREATE TABLE session (
    token_hash bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    space_id   bigint      NOT NULL REFERENCES space,
    scope      text        NOT NULL CHECK (scope IN ('recap', 'space')),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE  session IS 'A visitor who may see a recap or use a space, until it ends.';
COMMENT ON COLUMN session.token_hash IS 'SHA-256 of the cookie: a stolen database opens no session.';
COMMENT ON COLUMN session.scope IS 'recap: an activation opened it, for the recap alone. space: address and password opened it.';
CREATE INDEX session_expires ON session (expires_at);
CREATE INDEX session_space ON session (space_id);

CREATE TABLE siege (
    space_id bigint      PRIMARY KEY REFERENCES space,
    began_at timestamptz NOT NULL,
    last_at  timestamptz NOT NULL,
    told_at  timestamptz NOT NULL
);
COMMENT ON TABLE  siege IS 'The password spaces at which strangers guessed until they were stopped: the latest time for each.';
COMMENT ON COLUMN siege.began_at IS 'When guesses were first stopped, after a day without any.';
COMMENT ON COLUMN siege.last_at IS 'When guesses were last stopped.';
COMMENT ON COLUMN siege.told_at IS 'When a mail to the owner was made due: one a day.';
CREATE INDEX siege_last ON siege (last_at);

CREATE UNLOGGED TABLE throttle (
    bucket bytea       PRIMARY KEY,
    empty_at timestamptz NOT NULL
);
COMMENT ON TABLE  throttle IS 'Failed attempts, counted as leaky buckets; a full one also marks a network from which a space was entered. Unlogged: a crash of the server forgives them.';
COMMENT ON COLUMN throttle.bucket IS 'Keyed hash of the address or network that it counts: neither is stored.';
COMMENT ON COLUMN throttle.empty_at IS 'When the bucket will have leaked empty.';

CREATE TABLE audit (
    id         bigint      GENERATED ALWAYS AS IDENTITY,
    at         timestamptz NOT NULL,
    space_id   bigint      NOT NULL,
    request_id bigint      NOT NULL,
    event      text        NOT NULL CHECK (event ~ '^[a-z][a-z -]*$'),
    actor      text        NOT NULL CHECK (actor <> '' AND length(actor) <= 256 AND actor !~ '[[:cntrl:]]'),
    why        text        NOT NULL DEFAULT ''
);
COMMENT ON TABLE  audit IS 'One row for each transition, append-only; ids, no personal data (I9).';
COMMENT ON COLUMN audit.actor IS 'worker, subscriber, visitor (who has proven nothing), or the administrator''s account on the machine.';
-- Each mail adds a row, so there are no more indexes than are read.
CREATE INDEX audit_space ON audit (space_id, id);
CREATE INDEX audit_at ON audit USING brin (at) WITH (pages_per_range = 16, autosummarize = on);
CREATE TABLE key (
    id          text        PRIMARY KEY CHECK (id ~ '^[0-9a-f]{8}$'),
    check_value bytea       NOT NULL CHECK (octet_length(check_value) = 16),
    known_at    timestamptz NOT NULL,
    worker_at   timestamptz,
    given_up_at timestamptz
);
COMMENT ON TABLE  key IS 'The keys of SECRET_KEY that were ever used here. A row tells nothing of the key itself.';
COMMENT ON COLUMN key.check_value IS 'Derived from the key: another key of the same id has another value.';
COMMENT ON COLUMN key.worker_at IS 'When a worker first started with the key. Null: mails with its codes wait.';
COMMENT ON COLUMN key.given_up_at IS 'When its codes were reissued. It makes no new ones.';

-- Tells whether due mails carry codes of key k, with which no worker has started. Such a code was made after its key was
-- known. So the function looks at the first hundred mails of each lane since then, by the index, whatever the statistics
-- say.
CREATE FUNCTION key_is_waited_for(k key) RETURNS boolean LANGUAGE sql STABLE
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
    SELECT EXISTS (
        SELECT FROM (VALUES ('interactive'), ('bulk')) AS l (lane), LATERAL (
            SELECT o.kind, o.request_id, o.generation FROM obligation o
            WHERE o.lane = l.lane AND o.due_at >= k.known_at ORDER BY o.due_at, o.id LIMIT 100) AS o,
            LATERAL (SELECT * FROM code c WHERE c.request_id = o.request_id AND c.generation = o.generation LIMIT 1) AS c
        WHERE o.kind IN ('code', 'reset', 'identifier') AND c.key_id = k.id)
$$;

-- The numbers are added up, not counted. A statement that changes a number adds the change, and clean-up folds what was
-- added. See migrations/00003_tally.sql.
CREATE TABLE tally (
    batch_id       bigint,
    campaign_id    bigint,
    day            date,
    at             timestamptz,
    requests       integer NOT NULL DEFAULT 0,
    requested      integer NOT NULL DEFAULT 0,
    activated      integer NOT NULL DEFAULT 0,
    expired        integer NOT NULL DEFAULT 0,
    undeliverable  integer NOT NULL DEFAULT 0,
    cancelled      integer NOT NULL DEFAULT 0,
    not_delivered  integer NOT NULL DEFAULT 0,
    spaces         integer NOT NULL DEFAULT 0,
    batch_spaces   integer NOT NULL DEFAULT 0,
    batch_switched integer NOT NULL DEFAULT 0,
    campaign_spaces integer NOT NULL DEFAULT 0,
    campaign_switched integer NOT NULL DEFAULT 0,
    held           integer NOT NULL DEFAULT 0,
    again          integer NOT NULL DEFAULT 0,
    started        integer NOT NULL DEFAULT 0,
    invited        integer NOT NULL DEFAULT 0,
    dead           integer NOT NULL DEFAULT 0,
    complaints     integer NOT NULL DEFAULT 0,
    entries        integer NOT NULL DEFAULT 0,
    failures       integer NOT NULL DEFAULT 0,
    to_send        integer NOT NULL DEFAULT 0,
    to_render      integer NOT NULL DEFAULT 0,
    sent           integer NOT NULL DEFAULT 0,
    reminded       integer NOT NULL DEFAULT 0
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
COMMENT ON TABLE  tally IS 'What statements have added to the numbers of status: the sum of a column is the number. Rows are only added; the sums that replace them are rows too. No index: queries read the whole table, which is short.';
COMMENT ON COLUMN tally.batch_id IS 'The batch of the requests; null for requests of no batch, and for mails to send.';
COMMENT ON COLUMN tally.campaign_id IS 'The campaign of the requests, and of the invitations held and started.';
COMMENT ON COLUMN tally.day IS 'The day in Paris on which the invitations of started began.';
COMMENT ON COLUMN tally.at IS 'When the mails of sent went out, and when the signals came. Null: the time does not matter any more.';
COMMENT ON COLUMN tally.requested IS 'Open requests whose code that counts is not mailed, with overdue ones. The other open requests are mailed.';
COMMENT ON COLUMN tally.not_delivered IS 'Expired requests that were not delivered: see request_not_delivered.';
COMMENT ON COLUMN tally.spaces IS 'Spaces that have a request.';
COMMENT ON COLUMN tally.batch_spaces IS 'Spaces that have a request of this batch; they may have one of another batch, too.';
COMMENT ON COLUMN tally.batch_switched IS 'Switched spaces among them, by whatever request.';
COMMENT ON COLUMN tally.campaign_spaces IS 'Spaces that have a request of this campaign.';
COMMENT ON COLUMN tally.campaign_switched IS 'Switched spaces among them, by whatever request.';
COMMENT ON COLUMN tally.held IS 'Invitations that the campaign has not released.';
COMMENT ON COLUMN tally.again IS 'Expired requests that the campaign is to invite again (D16).';
COMMENT ON COLUMN tally.started IS 'Invitations whose hand-over began, and did not certainly fail.';
COMMENT ON COLUMN tally.reminded IS 'Reminders that went out (D16).';
COMMENT ON COLUMN tally.invited IS 'Invitations that the relay took or refused for good. This and the next four are signals by which a campaign stops (D15); they keep their minute for 25 hours.';
COMMENT ON COLUMN tally.dead IS 'Addresses refused for good, or bounced as gone.';
COMMENT ON COLUMN tally.entries IS 'Forms with a right code.';
COMMENT ON COLUMN tally.failures IS 'Forms with a right code that an error of ours failed.';
COMMENT ON COLUMN tally.to_send IS 'Mails that are due now or at a known time.';
COMMENT ON COLUMN tally.to_render IS 'Recaps that are due.';

-- This function alone expires requests: those of ids that are open and overdue at that instant, and that nobody else
-- holds. It returns their ids. The kept hashes go with the request's end (D1). Codes that would outlive it go too, and
-- the reservation of an address. A mail tells the subscriber that the code is over, and how to start again (R21). There
-- is no such mail if the mail with the code was not mailed or came back; read_others.sql looks who is told of an address
-- that the subscriber chose. No campaign holds it back from a subscriber who chose the address (D12).
CREATE FUNCTION expire_requests(ids bigint[], at timestamptz, actor text) RETURNS SETOF bigint LANGUAGE sql AS $$
    WITH overdue AS MATERIALIZED (
        SELECT r.ctid, c.purpose = 'identify' AS invited, r.generation > 1 OR c.purpose = 'activate' AS has_others,
               c.mailed_at IS NOT NULL AND (c.bounced_at IS NULL OR c.purpose = 'activate') AS tellable
        FROM (SELECT DISTINCT unnest(ids) AS id) AS i JOIN request r USING (id)
        JOIN code c ON c.request_id = r.id AND c.generation = r.generation
        WHERE request_is_open(r) AND c.expires_at <= at
        ORDER BY r.id -- every statement that locks several requests uses this order
        FOR UPDATE OF r SKIP LOCKED
    ), expired AS ( -- by the place of the locked row; one that moved since the snapshot is left to the next sweep
        UPDATE request r SET expired_at = at, password_hash = NULL, question = NULL, answer_hash = NULL
        FROM overdue o WHERE r.ctid = o.ctid
        RETURNING r.id, r.space_id, r.generation, r.campaign_id, o.invited, o.has_others, o.tellable
    ), void AS (
        UPDATE code c SET void_at = at
        FROM expired e
        WHERE e.has_others AND c.request_id = e.id AND c.void_at IS NULL AND (c.purpose = 'activate' OR c.expires_at > at)
    ), told AS (
        INSERT INTO obligation (lane, kind, space_id, request_id, generation, campaign_id, due_at)
        SELECT 'bulk', 'expired', space_id, id, generation, CASE WHEN invited THEN campaign_id END, at FROM expired WHERE tellable
    ), inviting AS MATERIALIZED (
        SELECT c.id, c.again FROM (SELECT DISTINCT campaign_id AS id FROM expired) AS e JOIN campaign c USING (id)
        WHERE c.again > 0 AND campaign_is_open(c.id)
    ), again AS ( -- by the keys, whatever the statistics say
        INSERT INTO reinvitation (request_id, campaign_id, nth, at)
        SELECT e.id, e.campaign_id, before.n + 1, s.next
        FROM expired e JOIN inviting c ON c.id = e.campaign_id,
             LATERAL (SELECT next_invitation(s.certificate_expires, at) AS next FROM space s WHERE s.id = e.space_id LIMIT 1) AS s,
             LATERAL (SELECT count(*) FILTER (WHERE r.origin = 'retry') - (min(r.id) FILTER (WHERE r.origin = 'retry') IS NOT DISTINCT FROM min(r.id))::int AS n
                      FROM request r WHERE r.space_id = e.space_id AND r.id <= e.id AND r.campaign_id = e.campaign_id) AS before -- a retry may be the first
        WHERE s.next IS NOT NULL AND before.n < c.again
    ), audited AS (
        INSERT INTO audit (at, space_id, request_id, event, actor, why)
        SELECT at, space_id, id, 'expired', actor, 'deadline' FROM expired
    )
    SELECT id FROM expired
$$;

-- An import fills tables, and its mails start at its commit. Without statistics the planner would join them row by row.
-- Before PostgreSQL 17 only the owner may make statistics. The function waits for nobody: a process that vacuums a table
-- at the moment makes its statistics, or has made them.
-- +goose StatementBegin
CREATE FUNCTION analyze_filled() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    ANALYZE (SKIP_LOCKED) space, request, code, held;
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION analyze_filled() FROM PUBLIC;
-- The function runs as the owner, so no caller may put other tables before these.
-- +goose StatementBegin
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION analyze_filled() SET search_path = %I, pg_temp', current_schema());
END $$;
-- +goose StatementEnd

-- +goose Down
-- There is no way back (R4).
SELECT 1/0;
