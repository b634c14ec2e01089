-- At most one row, while the journal comes from another store, or when it has gone to one: then nobody may own it here.
CREATE TABLE quorate_move (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- 'into' until the journal is complete here, 'away' for good.
    direction text NOT NULL CHECK (direction IN ('into', 'away')),
    -- The other store.
    place text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
