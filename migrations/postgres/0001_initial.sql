-- Migrations are numbered and append-only: a published file never changes, its digest is kept in every database.
-- Numbers are bigint, instants microseconds since 1970, a stream is its kind (1 byte) and its name (UTF-8).

-- One row. Every commit changes it where the epoch and the session are its own, so two owners cannot both write.
CREATE TABLE quorate_owner (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL,
    -- Counted up before a commit of unknown outcome is looked for: what was sent before it can no longer take effect.
    session bigint NOT NULL,
    holder text NOT NULL,
    owner text NOT NULL,
    since timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    tip_group bigint NOT NULL,
    tip_position bigint NOT NULL,
    tip_at bigint NOT NULL,
    tip_hash bytea NOT NULL
) WITH (fillfactor = 10);
INSERT INTO quorate_owner VALUES (true, 0, 0, '', '', clock_timestamp(), clock_timestamp(),
    0, 0, -62167219200000000, decode(repeat('00', 32), 'hex'));

-- The commit groups, as bytes that every store keeps alike.
CREATE TABLE quorate_groups (
    number bigint PRIMARY KEY,
    first_position bigint NOT NULL,
    bytes bytea NOT NULL
);
ALTER TABLE quorate_groups ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- The end of each stream, and when it must next be looked at.
CREATE TABLE quorate_heads (
    stream bytea PRIMARY KEY,
    revision bigint NOT NULL,
    hash bytea NOT NULL,
    last_group bigint NOT NULL,
    due bigint
) WITH (fillfactor = 70);
CREATE INDEX quorate_deadlines ON quorate_heads (due, stream) WHERE due IS NOT NULL;

-- The stream of each idempotency key.
CREATE TABLE quorate_keys (
    key bytea PRIMARY KEY,
    stream bytea NOT NULL
);

-- May be lost at the cost of time.
CREATE TABLE quorate_snapshots (
    stream bytea PRIMARY KEY,
    revision bigint NOT NULL,
    hash bytea NOT NULL,
    version integer NOT NULL,
    state bytea NOT NULL
);
CREATE TABLE quorate_projections (
    name text PRIMARY KEY,
    position bigint NOT NULL,
    bytes bytea NOT NULL
);

-- For people who look with SQL.
CREATE VIEW quorate_streams AS
    SELECT get_byte(stream, 0) AS kind, convert_from(substr(stream, 2), 'UTF8') AS id, revision,
        to_timestamp(due / 1000000.0) AS due
    FROM quorate_heads;
