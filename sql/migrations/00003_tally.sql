-- +goose Up

-- Triggers add to the table tally what each statement changes. They add a row for each batch, however many requests the
-- statement changes, and wait for no other statement. The audit log tells which mails went out (00002_guard.sql), the
-- tables the rest. The functions name tables with their schema, so no temporary table takes a table's place.

-- New requests are open and have no mail yet. Only if their spaces have other requests, the trigger looks up which
-- requests are the first of their space, or of their batch. New spaces have consecutive ids, so an import finds that out
-- by reading its own requests once.
-- +goose StatementBegin
DO $do$ BEGIN
    EXECUTE format($f$
        CREATE FUNCTION count_new_requests() RETURNS trigger LANGUAGE plpgsql
            SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
        DECLARE
            others boolean;
        BEGIN
            SELECT (SELECT count(*) FROM (SELECT FROM %1$I.request r WHERE r.space_id BETWEEN n.first AND n.last LIMIT n.count + 1) AS found) > n.count
            FROM (SELECT min(space_id) AS first, max(space_id) AS last, count(*) AS count FROM new) AS n
            INTO others;
            INSERT INTO %1$I.tally (batch_id, campaign_id, requests, requested, spaces, batch_spaces, campaign_spaces)
            SELECT n.batch_id, n.campaign_id, count(*), count(*),
                   count(*) FILTER (WHERE NOT (others AND EXISTS (
                       SELECT FROM %1$I.request o WHERE o.space_id = n.space_id AND o.id <> n.id))),
                   count(*) FILTER (WHERE NOT (others AND EXISTS (
                       SELECT FROM %1$I.request o WHERE o.space_id = n.space_id AND o.id <> n.id AND o.batch_id = n.batch_id))),
                   count(*) FILTER (WHERE NOT (others AND EXISTS (
                       SELECT FROM %1$I.request o WHERE o.space_id = n.space_id AND o.id <> n.id AND o.campaign_id = n.campaign_id)))
            FROM new n GROUP BY n.batch_id, n.campaign_id;
            IF others THEN
                -- The statement may have waited for a request that ended meanwhile. Whoever decided before looks anew.
                IF EXISTS (SELECT FROM new n WHERE n.id < (SELECT max(o.id) FROM %1$I.request o WHERE o.space_id = n.space_id)
                                                OR (SELECT s.access = 'password' FROM %1$I.space s WHERE s.id = n.space_id)) THEN
                    RAISE EXCEPTION 'bascule: INSERT on request refused: the space was switched, or has a later request'
                        USING ERRCODE = 'serialization_failure';
                END IF;
                -- another request takes the place of an invitation to come (D16)
                DELETE FROM %1$I.reinvitation WHERE request_id = ANY (ARRAY(
                    SELECT o.id FROM new n, LATERAL (SELECT id FROM %1$I.request r WHERE r.space_id = n.space_id OFFSET 0) AS o));
            END IF;
            RETURN NULL;
        END $$ $f$, current_schema());
END $do$;
-- +goose StatementEnd
CREATE TRIGGER request_is_counted AFTER INSERT ON request
    REFERENCING NEW TABLE AS new
    FOR EACH STATEMENT EXECUTE FUNCTION count_new_requests();

-- Requests that end, move to another batch or have another code, and requests that the owner deletes. The trigger takes
-- the old row away and adds the new one. The code that counts tells whether it is mailed. The trigger waits for a
-- statement that is finishing its mail: that one holds the code, and looks at the request afterwards. It groups by sorting,
-- so it reads and locks in the order of the ids, and neighbours are on the same pages.
-- +goose StatementBegin
DO $do$
DECLARE
    op      text;
    version text;
BEGIN
    FOR op, version IN VALUES
        ('changed', 'SELECT -1 AS n, o.* FROM old o UNION ALL SELECT 1 AS n, n.* FROM new n'),
        ('deleted', 'SELECT -1 AS n, o.* FROM old o')
    LOOP
        EXECUTE format($f$
            CREATE FUNCTION count_%2$s_requests() RETURNS trigger LANGUAGE plpgsql
                SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_hashagg = off AS $$
            BEGIN
                WITH version AS (%3$s), change AS MATERIALIZED (
                    SELECT id, space_id, batch_id, campaign_id, generation, sum(n) AS requests,
                           sum(n) FILTER (WHERE num_nonnulls(activated_at, expired_at, undeliverable_at, cancelled_at) = 0) AS open,
                           sum(n) FILTER (WHERE activated_at IS NOT NULL) AS activated,
                           sum(n) FILTER (WHERE expired_at IS NOT NULL) AS expired,
                           sum(n) FILTER (WHERE undeliverable_at IS NOT NULL) AS undeliverable,
                           sum(n) FILTER (WHERE cancelled_at IS NOT NULL) AS cancelled
                    FROM version GROUP BY id, space_id, batch_id, campaign_id, generation
                ), changed AS (
                    SELECT h.*, code.unmailed, code.late,
                           h.requests <> 0 AND NOT EXISTS (
                               SELECT FROM %1$I.request o WHERE o.space_id = h.space_id AND o.batch_id = h.batch_id AND o.id <> h.id) AS alone
                    FROM change h LEFT JOIN LATERAL (
                        SELECT c.mailed_at IS NULL AS unmailed, coalesce(c.bounce = 'late', false) AS late FROM %1$I.code c
                        WHERE (h.open <> 0 OR h.expired <> 0) AND c.request_id = h.id AND c.generation = h.generation
                          AND (c.mailed_at IS NULL OR c.bounce = 'late')
                        LIMIT 1 FOR SHARE) AS code ON true
                    WHERE h.requests <> 0 OR h.open <> 0
                ), switched AS ( -- a space counts as switched in each batch and campaign that knows it
                    INSERT INTO %1$I.tally (batch_id, batch_switched)
                    SELECT o.batch_id, count(DISTINCT h.space_id)
                    FROM change h, LATERAL (SELECT r.batch_id FROM %1$I.request r WHERE r.space_id = h.space_id OFFSET 0) AS o
                    WHERE h.activated > 0 AND o.batch_id IS NOT NULL GROUP BY o.batch_id
                ), switched_of_campaign AS (
                    INSERT INTO %1$I.tally (campaign_id, campaign_switched)
                    SELECT o.campaign_id, count(DISTINCT h.space_id)
                    FROM change h, LATERAL (SELECT r.campaign_id FROM %1$I.request r WHERE r.space_id = h.space_id OFFSET 0) AS o
                    WHERE h.activated > 0 AND o.campaign_id IS NOT NULL GROUP BY o.campaign_id
                )
                INSERT INTO %1$I.tally (batch_id, campaign_id, requests, requested, activated, expired, undeliverable, cancelled, not_delivered,
                                        spaces, batch_spaces, batch_switched, campaign_spaces, campaign_switched)
                SELECT h.batch_id, h.campaign_id, sum(h.requests), coalesce(sum(h.open) FILTER (WHERE h.unmailed), 0),
                       coalesce(sum(h.activated), 0), coalesce(sum(h.expired), 0), coalesce(sum(h.undeliverable), 0), coalesce(sum(h.cancelled), 0),
                       coalesce(sum(h.expired) FILTER (WHERE h.late), 0),
                       -count(DISTINCT h.space_id) FILTER (WHERE TG_OP = 'DELETE' AND (
                           SELECT min(o.id) FROM %1$I.request o WHERE o.space_id = h.space_id) IS NULL),
                       count(DISTINCT h.space_id) FILTER (WHERE h.requests > 0 AND h.alone) - count(DISTINCT h.space_id) FILTER (WHERE h.requests < 0 AND h.alone),
                       -count(DISTINCT h.space_id) FILTER (WHERE TG_OP = 'DELETE' AND h.alone AND (
                           SELECT s.access = 'password' FROM %1$I.space s WHERE s.id = h.space_id)),
                       -count(DISTINCT h.space_id) FILTER (WHERE TG_OP = 'DELETE' AND NOT EXISTS (
                           SELECT FROM %1$I.request o WHERE o.space_id = h.space_id AND o.campaign_id = h.campaign_id)),
                       -count(DISTINCT h.space_id) FILTER (WHERE TG_OP = 'DELETE' AND NOT EXISTS (
                           SELECT FROM %1$I.request o WHERE o.space_id = h.space_id AND o.campaign_id = h.campaign_id) AND (
                           SELECT s.access = 'password' FROM %1$I.space s WHERE s.id = h.space_id))
                FROM changed h GROUP BY h.batch_id, h.campaign_id;
                RETURN NULL;
            END $$ $f$, current_schema(), op, version);
    END LOOP;
END $do$;
-- +goose StatementEnd
CREATE TRIGGER request_is_counted_anew AFTER UPDATE ON request
    REFERENCING OLD TABLE AS old NEW TABLE AS new
    FOR EACH STATEMENT EXECUTE FUNCTION count_changed_requests();
CREATE TRIGGER request_counts_no_more AFTER DELETE ON request
    REFERENCING OLD TABLE AS old
    FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_requests();

-- A mail that was only late may come back for another reason (D11). A statement before locks the request. The trigger
-- runs for each row, as a report is about one mail. It runs before the change, where triggers look at the row already.
-- +goose StatementBegin
DO $do$ BEGIN
    EXECUTE format($f$
        CREATE FUNCTION count_bounce() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO %1$I.tally (batch_id, campaign_id, not_delivered)
            SELECT r.batch_id, r.campaign_id, CASE NEW.bounce WHEN 'late' THEN 1 ELSE -1 END
            FROM %1$I.request r WHERE r.id = NEW.request_id AND r.generation = NEW.generation AND r.expired_at IS NOT NULL;
            RETURN NEW;
        END $$ $f$, current_schema());
END $do$;
-- +goose StatementEnd
CREATE TRIGGER code_bounce_is_counted BEFORE UPDATE OF bounce ON code
    FOR EACH ROW WHEN (coalesce(NEW.bounce, '') <> coalesce(OLD.bounce, '') AND 'late' IN (NEW.bounce, OLD.bounce))
    EXECUTE FUNCTION count_bounce();

-- Obligations. Statements that put a mail off without end, or bring one back, add to the tally themselves. A trigger that
-- looks at changes would look at each claim, too.
-- +goose StatementBegin
DO $do$
DECLARE
    op   text;
    sign text;
BEGIN
    FOR op, sign IN VALUES ('new', ''), ('done', '-') LOOP
        EXECUTE format($f$
            CREATE FUNCTION count_%2$s_obligations() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO %1$I.tally (to_send, to_render)
                SELECT %3$scount(*) FILTER (WHERE lane <> 'recap' AND due_at < 'infinity'), %3$scount(*) FILTER (WHERE lane = 'recap')
                FROM changed HAVING count(*) > 0;
                RETURN NULL;
            END $$ $f$, current_schema(), op, sign);
    END LOOP;
END $do$;
-- +goose StatementEnd
CREATE TRIGGER obligation_is_counted AFTER INSERT ON obligation
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_new_obligations();
CREATE TRIGGER obligation_counts_no_more AFTER DELETE ON obligation
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_done_obligations();

-- The instant to which a row of the tally is folded. For the pace it is the second, in the last minute. For the signals
-- by which a campaign stops (D15) it is the minute, in the last 25 hours. It is the instant at which the campaign was
-- started or resumed, if that is later within this minute. Otherwise it is null.
CREATE FUNCTION folded_at(t tally, now timestamptz) RETURNS timestamptz LANGUAGE sql STABLE
    RETURN greatest(
        CASE WHEN t.at > now - interval '1 minute' THEN date_trunc('second', t.at)
             WHEN t.at > now - interval '25 hours' AND (t.invited, t.dead, t.complaints, t.entries, t.failures) <> (0, 0, 0, 0, 0) THEN date_trunc('minute', t.at) END,
        (SELECT c.watched_from FROM campaign c
         WHERE c.id = t.campaign_id AND t.at >= c.watched_from AND t.at > now - interval '25 hours'
           AND (t.invited, t.dead, t.complaints, t.entries, t.failures) <> (0, 0, 0, 0, 0) AND c.watched_from > date_trunc('minute', t.at)));

-- Held invitations and invitations to come of a campaign. An update changes only which code is meant.
-- +goose StatementBegin
DO $do$
DECLARE
    op    text;
    sign  text;
    waits text;
    what  text;
BEGIN
    FOR op, sign, waits, what IN VALUES ('new', '', 'held', 'held'), ('gone', '-', 'held', 'held'), ('new', '', 'reinvitation', 'again'), ('gone', '-', 'reinvitation', 'again') LOOP
        EXECUTE format($f$
            CREATE FUNCTION count_%2$s_%4$s() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO %1$I.tally (campaign_id, %5$s) SELECT campaign_id, %3$scount(*) FROM changed GROUP BY campaign_id;
                RETURN NULL;
            END $$ $f$, current_schema(), op, sign, waits, what);
        EXECUTE format('CREATE TRIGGER %3$s_%1$s_is_counted AFTER %2$s ON %3$s REFERENCING %1$s TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION count_%4$s_%3$s()', CASE op WHEN 'new' THEN 'NEW' ELSE 'OLD' END, CASE op WHEN 'new' THEN 'INSERT' ELSE 'DELETE' END, waits, op);
    END LOOP;
END $do$;
-- +goose StatementEnd

-- The requests whose deadline has passed and that no sweep has ended yet. In the tally they are as they were, but they
-- are expired. Each open request that was started has a deadline. If somebody held it at a sweep, it has another one, two
-- seconds later. The planner's estimates are far too high here: other processes do not pay.
CREATE FUNCTION overdue(at timestamptz) RETURNS TABLE (batch_id bigint, campaign_id bigint, is_mailed boolean, is_late boolean) LANGUAGE sql STABLE
    SET enable_seqscan = off SET max_parallel_workers_per_gather = 0 AS $$
    SELECT r.batch_id, r.campaign_id, r.mailed_at IS NOT NULL, coalesce(r.bounce = 'late', false)
    FROM (SELECT DISTINCT unnest(d.requests) AS id FROM deadline d WHERE d.at <= overdue.at + interval '2 seconds') AS passed,
         LATERAL (SELECT * FROM request_code r WHERE r.id = passed.id LIMIT 1) AS r -- by the key, whatever the statistics say
    WHERE num_nonnulls(r.activated_at, r.expired_at, r.undeliverable_at, r.cancelled_at) = 0 AND r.expires_at <= overdue.at
$$;

-- Counts anew, for an owner who mended rows in a way that no trigger sees. Such an owner marked a code as mailed by hand,
-- put a mail off without end, or did so while triggers were off. All writers wait meanwhile. Numbers that no other table
-- tells stay.
-- +goose StatementBegin
CREATE FUNCTION recount() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE request, code, held, reinvitation, obligation, tally IN SHARE ROW EXCLUSIVE MODE;
    CREATE TEMP TABLE stays ON COMMIT DROP AS
        SELECT campaign_id, day, at, started, reminded, sent, invited, dead, complaints, entries, failures FROM tally
        WHERE (started, reminded, sent, invited, dead, complaints, entries, failures) <> (0, 0, 0, 0, 0, 0, 0, 0);
    DELETE FROM tally;
    INSERT INTO tally (campaign_id, day, at, started, reminded, sent, invited, dead, complaints, entries, failures) SELECT * FROM stays;
    INSERT INTO tally (batch_id, campaign_id, requests, requested, activated, expired, undeliverable, cancelled, not_delivered)
    SELECT r.batch_id, r.campaign_id, count(*), count(*) FILTER (WHERE is_open(r) AND r.mailed_at IS NULL),
           count(r.activated_at), count(r.expired_at), count(r.undeliverable_at), count(r.cancelled_at),
           count(r.expired_at) FILTER (WHERE r.bounce = 'late')
    FROM request_code r GROUP BY r.batch_id, r.campaign_id;
    INSERT INTO tally (batch_id, batch_spaces, batch_switched)
    SELECT r.batch_id, count(DISTINCT r.space_id), count(DISTINCT r.space_id) FILTER (WHERE s.access = 'password')
    FROM request r JOIN space s ON s.id = r.space_id GROUP BY r.batch_id;
    INSERT INTO tally (campaign_id, campaign_spaces, campaign_switched)
    SELECT r.campaign_id, count(DISTINCT r.space_id), count(DISTINCT r.space_id) FILTER (WHERE s.access = 'password')
    FROM request r JOIN space s ON s.id = r.space_id WHERE r.campaign_id IS NOT NULL GROUP BY r.campaign_id;
    INSERT INTO tally (campaign_id, held) SELECT campaign_id, count(*) FROM held GROUP BY campaign_id;
    INSERT INTO tally (campaign_id, again) SELECT campaign_id, count(*) FROM reinvitation GROUP BY campaign_id;
    INSERT INTO tally (spaces, to_send, to_render)
    SELECT (SELECT count(DISTINCT space_id) FROM request),
           count(*) FILTER (WHERE lane <> 'recap' AND due_at < 'infinity'), count(*) FILTER (WHERE lane = 'recap')
    FROM obligation;
END $$;
-- +goose StatementEnd

-- +goose Down
-- There is no way back (R4).
SELECT 1/0;
