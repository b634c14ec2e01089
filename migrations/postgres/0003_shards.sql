-- One journal spread over several: the map stands in the first database, and each journal says that it is a part.

-- At most one row: this journal is a shard. Whoever opens it must know that, or would show a part as the whole.
CREATE TABLE quorate_part (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    number integer NOT NULL,
    of integer NOT NULL,
    -- The map that it belongs to.
    map uuid NOT NULL
);

-- At most one row, in the first database. A process that knows another epoch of it owns nothing.
CREATE TABLE quorate_shard_map (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    map uuid NOT NULL,
    epoch bigint NOT NULL,
    -- The shard of each slot.
    slots smallint[] NOT NULL
);

-- Where each shard is, and at which door its owner answers. A wrong door costs a redirect: who may write is said by the
-- row of the owner in the shard's own journal.
CREATE TABLE quorate_shards (
    number integer PRIMARY KEY,
    -- A schema of this database, or the address of another one.
    place text NOT NULL,
    process uuid,
    door text,
    epoch bigint NOT NULL DEFAULT 0
);

-- The processes that own shards, each as long as its lease.
CREATE TABLE quorate_processes (
    process uuid PRIMARY KEY,
    door text NOT NULL,
    since timestamptz NOT NULL,
    lease_until timestamptz NOT NULL
);
