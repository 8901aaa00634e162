-- These temporary tables hold the rows of one import while they are judged; its transaction drops them. A judge adds
-- verdicts and changes none. A verdict that does not hold is deleted, and another one is added.
-- staged has the rows of the file, with the first error in a row or in its dossier. staged_dossier is the sheet Dossiers.
-- dossier has the companies that the sheet gives to a number of the file, null if they are wrong.
CREATE TEMP TABLE staged (
    line       integer NOT NULL,
    number     text COLLATE "C" NOT NULL,
    holder     text NOT NULL,
    email      text NOT NULL,
    email_key  text COLLATE "C" NOT NULL,
    serial     text COLLATE "C" NOT NULL,
    issuer     text NOT NULL,
    issuer_key text NOT NULL,
    expires    date,
    priority   smallint NOT NULL,
    contents   text COLLATE "C" NOT NULL,
    nonce      bytea,
    tag        bigint,
    cell       text NOT NULL,
    reason     text NOT NULL,
    warning    text NOT NULL
) ON COMMIT DROP;
CREATE TEMP TABLE staged_dossier (
    line    integer NOT NULL,
    number  text COLLATE "C" NOT NULL,
    siren   text COLLATE "C" NOT NULL,
    company text NOT NULL,
    service text NOT NULL,
    cell    text NOT NULL,
    reason  text NOT NULL
) ON COMMIT DROP;
CREATE TEMP TABLE dossier (
    number    text COLLATE "C" PRIMARY KEY,
    companies jsonb
) ON COMMIT DROP;
-- The verdict of a line, and the round that gave it. The action is what an accepted row asks for: new, restart, update or
-- redirect. It is null if the file alone tells the verdict. The ids are those of its space and of its open request; if there
-- are none yet, those that they will have.
CREATE TEMP TABLE judged (
    line       integer PRIMARY KEY,
    round      integer NOT NULL,
    verdict    text NOT NULL,
    cell       text NOT NULL,
    reason     text NOT NULL,
    action     text,
    space_id   bigint,
    request_id bigint
) ON COMMIT DROP;
CREATE INDEX judged_known ON judged (round) WHERE verdict = 'accepted' AND action <> 'new';
-- Lines whose space has an open request: the reason that was told, and the request that is locked for them.
CREATE TEMP TABLE contested (
    line     integer PRIMARY KEY,
    space_id bigint UNIQUE NOT NULL,
    told     text NOT NULL,
    held_id  bigint
) ON COMMIT DROP;
-- Rejected rows of other files whose place rows of this file take. They have the same number, or they stand on the same line of
-- a verdict workbook.
CREATE TEMP TABLE rejected_before (
    campaign_id bigint NOT NULL,
    batch_id    bigint NOT NULL,
    line        integer NOT NULL,
    same_number boolean NOT NULL
) ON COMMIT DROP;
-- Keeping what was looked up does not pay, as the rows of a list differ. Joins and sorts get memory, as imports run one at a
-- time. The staged rows are joined with each other without statistics, and never row by row. Those of the tables that an
-- import fills are of 6 000 rows: 30 000 would take a fifth of its time.
SET LOCAL enable_memoize = off;
SET LOCAL enable_nestloop = off;
SET LOCAL default_statistics_target = 20;
SET LOCAL work_mem = '64MB';
