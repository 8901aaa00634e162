-- Where one import's rows are judged; gone with its transaction.
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
    contents   text COLLATE "C" NOT NULL,
    cell       text NOT NULL,
    reason     text NOT NULL,
    warning    text NOT NULL,
    verdict    text,
    action     text,
    space_id   bigint,
    request_id bigint,
    held_id    bigint,
    told       text,
    companies  jsonb
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
