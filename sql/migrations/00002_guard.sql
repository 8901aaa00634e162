-- +goose Up

-- The database refuses these changes, whatever the program says. A trigger here is a condition and the words of its
-- refusal. A condition is bound to its tables when it is made, so no temporary table and no search_path of the session
-- takes a table's place. A statement that sets none of the columns that a trigger names does not pay for its condition:
-- mails and imports change many rows.

-- +goose StatementBegin
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'bascule: % on % refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
-- +goose StatementEnd

-- Tells whether an instant is the present one. A statement reads the clock once, and may write its last row minutes
-- later. An instant that the statement before read may have waited for a lock since.
CREATE FUNCTION is_present(at timestamptz) RETURNS boolean LANGUAGE sql VOLATILE
    RETURN at BETWEEN bascule_now() - (clock_timestamp() - statement_timestamp()) - interval '1 minute'
               AND bascule_now() + interval '5 seconds';

-- Tells whether the current role has the rights of the tables' owner, who could drop the triggers. Some triggers let the
-- owner mend a row by hand.
CREATE FUNCTION is_owner() RETURNS boolean LANGUAGE sql STABLE
    RETURN pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = 'space'::regclass), 'MEMBER');

-- A switched space: R4, I2.
CREATE FUNCTION was_activated(space bigint, at timestamptz) RETURNS boolean LANGUAGE sql VOLATILE
    RETURN EXISTS (SELECT FROM request r WHERE r.space_id = space AND r.activated_at = at);

CREATE TRIGGER space_number_is_fixed BEFORE UPDATE OF id, number ON space
    FOR EACH ROW WHEN (NEW.number <> OLD.number OR NEW.id <> OLD.id)
    EXECUTE FUNCTION refuse('a subscriber number never changes');
CREATE TRIGGER space_switch_is_irrevocable BEFORE UPDATE OF access, switched_at ON space
    FOR EACH ROW WHEN (OLD.access = 'password' AND (NEW.access <> 'password' OR NEW.switched_at IS DISTINCT FROM OLD.switched_at))
    EXECUTE FUNCTION refuse('the switch is irrevocable');
CREATE TRIGGER space_switched_is_frozen BEFORE UPDATE ON space
    FOR EACH ROW WHEN (OLD.access = 'password' AND NOT is_owner()
        AND to_jsonb(NEW) - '{password_hash,question,answer_hash,email,email_key}'::text[] <> to_jsonb(OLD) - '{password_hash,question,answer_hash,email,email_key}'::text[])
    EXECUTE FUNCTION refuse('of a switched space, what its owner enters by changes, and nothing else');
CREATE TRIGGER space_switch_follows_a_code BEFORE UPDATE OF access ON space
    FOR EACH ROW WHEN (OLD.access <> 'password' AND NEW.access = 'password' AND NOT was_activated(NEW.id, NEW.switched_at))
    EXECUTE FUNCTION refuse('an activation switches it, at its own instant');
CREATE TRIGGER space_begins_with_a_certificate BEFORE INSERT ON space
    FOR EACH ROW WHEN (NEW.access = 'password')
    EXECUTE FUNCTION refuse('an activation switches it');
CREATE TRIGGER space_switch_is_remembered BEFORE DELETE ON space
    FOR EACH ROW WHEN (OLD.access = 'password')
    EXECUTE FUNCTION refuse('the switch is irrevocable');
CREATE TRIGGER space_is_kept BEFORE TRUNCATE ON space
    EXECUTE FUNCTION refuse('the switch is irrevocable');

-- Identifier, password and trust question change together with an entry in the audit log, whose event is the argument.
-- Another identifier also needs its proof: a code for that very address, used up by the same transaction before its
-- deadline. Later statements may write entry and code, so the trigger looks at the transaction's end.
-- +goose StatementBegin
CREATE FUNCTION check_owner_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    found boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.audit WHERE space_id = $1 AND event = $2 AND xmin = pg_current_xact_id()::xid)',
        TG_TABLE_SCHEMA) INTO found USING NEW.id, TG_ARGV[0];
    IF NOT found THEN
        RAISE EXCEPTION 'bascule: % on % refused: % has its entry in the audit log', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_ARGV[0] = 'identifier changed' THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %1$I.request r JOIN %1$I.code c ON c.request_id = r.id
            WHERE r.space_id = $1 AND c.purpose = ''identifier'' AND c.email = $2 AND c.email_key = $3
              AND c.started_at <= c.void_at AND c.void_at < c.expires_at AND c.xmin = pg_current_xact_id()::xid)',
            TG_TABLE_SCHEMA) INTO found USING NEW.id, NEW.email, NEW.email_key;
        IF NOT found THEN
            RAISE EXCEPTION 'bascule: % on % refused: an address is proven by its own code before it is an identifier', TG_OP, TG_TABLE_NAME
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER space_password_is_audited AFTER UPDATE OF password_hash ON space
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.access = 'password' AND NEW.password_hash IS DISTINCT FROM OLD.password_hash)
    EXECUTE FUNCTION check_owner_change('password changed');
CREATE CONSTRAINT TRIGGER space_question_is_audited AFTER UPDATE OF question, answer_hash ON space
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.access = 'password' AND (NEW.question, NEW.answer_hash) IS DISTINCT FROM (OLD.question, OLD.answer_hash))
    EXECUTE FUNCTION check_owner_change('trust question changed');
CREATE CONSTRAINT TRIGGER space_identifier_is_proven AFTER UPDATE OF email, email_key ON space
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.access = 'password' AND (NEW.email, NEW.email_key) IS DISTINCT FROM (OLD.email, OLD.email_key))
    EXECUTE FUNCTION check_owner_change('identifier changed');

-- A request. Its end is final.
CREATE FUNCTION activates(request bigint, counts integer, at timestamptz) RETURNS boolean LANGUAGE sql VOLATILE
    RETURN EXISTS (SELECT FROM code c WHERE c.request_id = request AND c.generation = counts AND c.purpose IN ('identify', 'activate')
                   AND c.started_at <= at AND at < c.expires_at);

CREATE TRIGGER request_end_is_final BEFORE UPDATE ON request
    FOR EACH ROW WHEN (NOT request_is_open(OLD) AND NEW IS DISTINCT FROM OLD)
    EXECUTE FUNCTION refuse('an ended request stays as it ended');
CREATE TRIGGER request_ends_now BEFORE UPDATE OF activated_at, expired_at, undeliverable_at, cancelled_at ON request
    FOR EACH ROW WHEN (NOT request_is_open(NEW) AND request_is_open(OLD)
        AND NOT is_present(coalesce(NEW.activated_at, NEW.expired_at, NEW.undeliverable_at, NEW.cancelled_at)))
    EXECUTE FUNCTION refuse('a request ends now, neither before nor later');
CREATE TRIGGER request_activation_has_a_code BEFORE UPDATE OF activated_at ON request
    FOR EACH ROW WHEN (NEW.activated_at IS NOT NULL AND OLD.activated_at IS NULL AND NOT activates(NEW.id, NEW.generation, NEW.activated_at))
    EXECUTE FUNCTION refuse('a code that was handed over activates, before its deadline');
CREATE TRIGGER request_space_is_fixed BEFORE UPDATE OF id, space_id, campaign_id, origin, requested_at ON request
    FOR EACH ROW WHEN (NEW.id <> OLD.id OR NEW.space_id <> OLD.space_id OR NEW.campaign_id IS DISTINCT FROM OLD.campaign_id
        OR NEW.origin <> OLD.origin OR NEW.requested_at <> OLD.requested_at)
    EXECUTE FUNCTION refuse('what a request is never changes');
-- The statement that points at the code that counts may make that code, too. So the trigger looks at the statement's end. An
-- import changes many requests, so the trigger keeps its plan.
-- +goose StatementBegin
DO $do$ BEGIN
    EXECUTE format($f$
        CREATE FUNCTION check_code_counts() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
        BEGIN
            IF NOT EXISTS (SELECT FROM %1$I.code c WHERE c.request_id = NEW.id AND c.generation = NEW.generation AND c.purpose IN ('identify', 'activate')) THEN
                RAISE EXCEPTION 'bascule: %% on %% refused: it has no such code', TG_OP, TG_TABLE_NAME
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            RETURN NULL;
        END $$ $f$, current_schema());
END $do$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER request_counts_a_code AFTER UPDATE OF generation ON request
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.generation <> OLD.generation)
    EXECUTE FUNCTION check_code_counts();
CREATE TRIGGER request_begins_now BEFORE INSERT ON request
    FOR EACH ROW WHEN (NOT request_is_open(NEW) OR NOT is_present(NEW.requested_at))
    EXECUTE FUNCTION refuse('a request begins now, and open');
CREATE TRIGGER request_activated_is_kept BEFORE DELETE ON request
    FOR EACH ROW WHEN (OLD.activated_at IS NOT NULL)
    EXECUTE FUNCTION refuse('the switch is irrevocable');
CREATE TRIGGER request_is_kept BEFORE TRUNCATE ON request
    EXECUTE FUNCTION refuse('the switch is irrevocable');

-- A code. Its address never changes, and the fate of its mail is written once.
CREATE FUNCTION led_to_a_switch(request bigint) RETURNS boolean LANGUAGE sql VOLATILE
    RETURN EXISTS (SELECT FROM request r WHERE r.id = request AND r.activated_at IS NOT NULL);

CREATE TRIGGER code_begins_unsent BEFORE INSERT ON code
    FOR EACH ROW WHEN (NEW.started_at IS NOT NULL OR NEW.void_at IS NOT NULL)
    EXECUTE FUNCTION refuse('a code is made first, and mailed afterwards');
CREATE TRIGGER code_is_fixed BEFORE UPDATE OF request_id, generation, purpose, email, email_key, key_id, nonce, tag, resends ON code
    FOR EACH ROW WHEN (NEW.request_id <> OLD.request_id OR NEW.generation <> OLD.generation OR NEW.email <> OLD.email
        OR NEW.email_key <> OLD.email_key OR NEW.key_id <> OLD.key_id OR NEW.nonce <> OLD.nonce OR NEW.tag IS DISTINCT FROM OLD.tag AND OLD.tag IS NOT NULL OR NEW.resends < OLD.resends
        OR NEW.purpose <> OLD.purpose AND (OLD.purpose <> 'identify' OR NEW.purpose <> 'activate'))
    EXECUTE FUNCTION refuse('what a code is never changes');
CREATE TRIGGER code_starts_now BEFORE UPDATE OF started_at ON code
    FOR EACH ROW WHEN (NEW.started_at IS DISTINCT FROM OLD.started_at AND NOT is_present(NEW.started_at) AND NOT is_owner())
    EXECUTE FUNCTION refuse('a code is good from its start');
CREATE TRIGGER code_deadline_stands BEFORE UPDATE OF started_at, expires_at, mailed_at ON code
    FOR EACH ROW WHEN (OLD.mailed_at IS NOT NULL AND (NEW.started_at IS DISTINCT FROM OLD.started_at
        OR NEW.expires_at IS DISTINCT FROM OLD.expires_at OR NEW.mailed_at IS DISTINCT FROM OLD.mailed_at) AND NOT is_owner())
    EXECUTE FUNCTION refuse('the deadline of a mailed code stands');
CREATE TRIGGER code_void_is_final BEFORE UPDATE ON code
    FOR EACH ROW WHEN (OLD.void_at IS NOT NULL AND to_jsonb(NEW) - '{bounce,bounced_at}'::text[] <> to_jsonb(OLD) - '{bounce,bounced_at}'::text[])
    EXECUTE FUNCTION refuse('a dead code stays dead');
CREATE TRIGGER code_dies_now BEFORE UPDATE OF void_at ON code
    FOR EACH ROW WHEN (OLD.void_at IS NULL AND NEW.void_at IS NOT NULL AND NOT is_present(NEW.void_at))
    EXECUTE FUNCTION refuse('a code dies now, neither before nor later');
CREATE TRIGGER code_bounce_grows BEFORE UPDATE OF bounce, bounced_at ON code
    FOR EACH ROW WHEN ((NEW.bounced_at IS DISTINCT FROM OLD.bounced_at OR NEW.bounce IS DISTINCT FROM OLD.bounce)
        AND (bounce_gravity(NEW.bounce) <= bounce_gravity(OLD.bounce) OR led_to_a_switch(NEW.request_id)))
    EXECUTE FUNCTION refuse('a bounce stays, unless a graver one comes');
CREATE TRIGGER code_is_kept BEFORE DELETE OR TRUNCATE ON code
    EXECUTE FUNCTION refuse('codes stay on record');

-- The recap that the subscriber keeps.
CREATE TRIGGER recap_follows_a_switch BEFORE INSERT ON recap
    FOR EACH ROW WHEN (NOT led_to_a_switch(NEW.request_id) AND NOT is_owner())
    EXECUTE FUNCTION refuse('the facts are those of an activation');
CREATE TRIGGER recap_facts_are_frozen BEFORE UPDATE ON recap
    FOR EACH ROW WHEN (NEW.facts IS DISTINCT FROM OLD.facts OR NEW.request_id <> OLD.request_id
        OR OLD.pdf IS NOT NULL AND to_jsonb(NEW) <> to_jsonb(OLD))
    EXECUTE FUNCTION refuse('the facts are frozen, and the document once it is rendered');
CREATE TRIGGER recap_is_kept BEFORE DELETE OR TRUNCATE ON recap
    EXECUTE FUNCTION refuse('the subscriber keeps it');

-- The audit log (I9). An entry is of the present, about a request of its space. Each mail and each imported row adds an
-- entry, so the trigger looks at all entries of a statement together. It adds those of mails that went out to the tally.
-- +goose StatementBegin
DO $do$ BEGIN
    EXECUTE format($f$
        CREATE FUNCTION check_audit() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            same record;
        BEGIN
            FOR same IN
                SELECT r.batch_id, r.campaign_id, r.id IS NULL AS unknown, e.event, CASE e.event WHEN 'bounced' THEN e.why ELSE '' END AS bounce, min(e.at) AS first, max(e.at) AS last, count(*) AS count
                FROM entry e LEFT JOIN %1$I.request r ON r.id = e.request_id AND r.space_id = e.space_id
                GROUP BY 1, 2, 3, 4, 5
            LOOP
                IF NOT (%1$I.is_present(same.first) AND %1$I.is_present(same.last)) THEN
                    RAISE EXCEPTION 'bascule: INSERT on audit refused: the entry is not of the present'
                        USING ERRCODE = 'integrity_constraint_violation';
                END IF;
                IF same.unknown THEN
                    RAISE EXCEPTION 'bascule: INSERT on audit refused: the space has no such request'
                        USING ERRCODE = 'integrity_constraint_violation';
                END IF;
                IF same.event = 'resent' OR same.event LIKE '%%mailed' THEN
                    INSERT INTO %1$I.tally (batch_id, campaign_id, at, requested, sent, invited, reminded)
                    VALUES (same.batch_id, same.campaign_id, same.last, CASE same.event WHEN 'mailed' THEN -same.count ELSE 0 END, same.count,
                            CASE WHEN same.event = 'mailed' AND same.campaign_id IS NOT NULL THEN same.count ELSE 0 END,
                            CASE same.event WHEN 'reminder mailed' THEN same.count ELSE 0 END);
                ELSIF same.campaign_id IS NOT NULL AND (same.event = 'undeliverable' OR same.bounce IN ('gone', 'complaint')) THEN
                    INSERT INTO %1$I.tally (campaign_id, at, invited, dead, complaints)
                    VALUES (same.campaign_id, same.last, CASE same.event WHEN 'undeliverable' THEN same.count ELSE 0 END, CASE same.bounce WHEN 'complaint' THEN 0 ELSE same.count END,
                            CASE same.bounce WHEN 'complaint' THEN same.count ELSE 0 END);
                END IF;
            END LOOP;
            RETURN NULL;
        END $$ $f$, current_schema());
END $do$;
-- +goose StatementEnd
CREATE TRIGGER audit_is_true AFTER INSERT ON audit
    REFERENCING NEW TABLE AS entry
    FOR EACH STATEMENT EXECUTE FUNCTION check_audit();
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse('the audit log is append-only');
CREATE TRIGGER audit_is_kept BEFORE TRUNCATE ON audit
    EXECUTE FUNCTION refuse('the audit log is append-only');
CREATE TRIGGER import_is_of_now BEFORE INSERT ON import
    FOR EACH ROW WHEN (NOT is_present(NEW.at))
    EXECUTE FUNCTION refuse('the entry is not of the present');

-- A campaign (D12). One that ended does not begin again, and is never deleted.
CREATE TRIGGER campaign_end_is_final BEFORE UPDATE ON campaign
    FOR EACH ROW WHEN (OLD.state = 'closed' AND NEW IS DISTINCT FROM OLD OR OLD.state = 'cancelled' AND NEW.state NOT IN ('cancelled', 'closed')
        OR NEW.id <> OLD.id OR NEW.state = 'prepared' AND OLD.state <> 'prepared')
    EXECUTE FUNCTION refuse('a campaign that ended stays as it ended');
CREATE TRIGGER campaign_is_kept BEFORE DELETE OR TRUNCATE ON campaign
    EXECUTE FUNCTION refuse('campaigns stay on record');
CREATE TRIGGER campaign_audit_is_of_now BEFORE INSERT ON campaign_audit
    FOR EACH ROW WHEN (NOT is_present(NEW.at))
    EXECUTE FUNCTION refuse('the entry is not of the present');
CREATE TRIGGER campaign_audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON campaign_audit
    EXECUTE FUNCTION refuse('the audit log is append-only');
CREATE TRIGGER person_is_of_now BEFORE INSERT ON person
    FOR EACH ROW WHEN (NOT is_present(NEW.at))
    EXECUTE FUNCTION refuse('the entry is not of the present');
CREATE TRIGGER person_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON person
    EXECUTE FUNCTION refuse('who may act stays on record');

-- These triggers refuse in every session, also in one that replicates or loads data with session_replication_role =
-- replica. The other triggers look at what the present transaction does. A replica does that at another time.
ALTER TABLE space   ENABLE ALWAYS TRIGGER space_number_is_fixed;
ALTER TABLE space   ENABLE ALWAYS TRIGGER space_switch_is_irrevocable;
ALTER TABLE space   ENABLE ALWAYS TRIGGER space_switch_is_remembered;
ALTER TABLE space   ENABLE ALWAYS TRIGGER space_is_kept;
ALTER TABLE request ENABLE ALWAYS TRIGGER request_end_is_final;
ALTER TABLE request ENABLE ALWAYS TRIGGER request_space_is_fixed;
ALTER TABLE request ENABLE ALWAYS TRIGGER request_activated_is_kept;
ALTER TABLE request ENABLE ALWAYS TRIGGER request_is_kept;
ALTER TABLE code    ENABLE ALWAYS TRIGGER code_is_fixed;
ALTER TABLE code    ENABLE ALWAYS TRIGGER code_void_is_final;
ALTER TABLE code    ENABLE ALWAYS TRIGGER code_is_kept;
ALTER TABLE recap   ENABLE ALWAYS TRIGGER recap_facts_are_frozen;
ALTER TABLE recap   ENABLE ALWAYS TRIGGER recap_is_kept;
ALTER TABLE audit   ENABLE ALWAYS TRIGGER audit_is_append_only;
ALTER TABLE audit   ENABLE ALWAYS TRIGGER audit_is_kept;

-- +goose Down
-- There is no way back (R4).
SELECT 1/0;
