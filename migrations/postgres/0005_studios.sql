-- Studios: one OBS each, on air around the clock.

-- How OBS is reached is in the configuration. hold and schedule are JSON.
CREATE TABLE studios (
    id         UUID    PRIMARY KEY,
    organization_id UUID NOT NULL,
    name       TEXT    NOT NULL,
    desired    TEXT    CHECK (desired IN ('on_air', 'stopped')),
    desired_by TEXT,
    hold       TEXT,
    schedule   TEXT,
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL
);
CREATE UNIQUE INDEX studios_name ON studios (name);

-- What each supervisor last saw, as JSON. heartbeat is also in it; another version may not be able to read that.
CREATE TABLE studio_snapshots (
    studio_id UUID    PRIMARY KEY REFERENCES studios (id),
    at        BIGINT  NOT NULL,
    heartbeat BIGINT,
    snapshot  TEXT    NOT NULL
) WITH (fillfactor = 10);

-- A studio has one session and one downtime at a time, so the beginning names it.
CREATE TABLE studio_sessions (
    studio_id  UUID    NOT NULL REFERENCES studios (id),
    started_at BIGINT  NOT NULL,
    ended_at   BIGINT,
    PRIMARY KEY (studio_id, started_at)
);
CREATE INDEX studio_sessions_ended_at ON studio_sessions (ended_at);

CREATE TABLE studio_downtimes (
    studio_id  UUID    NOT NULL REFERENCES studios (id),
    started_at BIGINT  NOT NULL,
    ended_at   BIGINT,
    cause      TEXT    NOT NULL CHECK (cause IN ('connection_lost', 'obs_crash', 'content_failure', 'network_degraded', 'manual_stop')),
    PRIMARY KEY (studio_id, started_at)
);
CREATE INDEX studio_downtimes_ended_at ON studio_downtimes (ended_at);

-- What was changed, or refused. numbers is JSON.
CREATE TABLE studio_decisions (
    id         UUID    PRIMARY KEY,
    studio_id  UUID    NOT NULL REFERENCES studios (id),
    at         BIGINT  NOT NULL,
    subject    TEXT    NOT NULL CHECK (subject IN ('scene', 'content', 'stream', 'obs')),
    from_value TEXT,
    to_value   TEXT    NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('done', 'refused', 'failed')),
    reason     TEXT    NOT NULL,
    ordered_by TEXT,
    numbers    TEXT    NOT NULL
);
CREATE INDEX studio_decisions_newest ON studio_decisions (studio_id, at, id);
CREATE INDEX studio_decisions_at ON studio_decisions (at);

-- What happened, as JSON, for reports.
CREATE TABLE studio_records (
    studio_id UUID    NOT NULL REFERENCES studios (id),
    kind      TEXT    NOT NULL CHECK (kind IN ('transition', 'failover', 'owner_session')),
    began_at  BIGINT  NOT NULL,
    record    TEXT    NOT NULL,
    PRIMARY KEY (studio_id, kind, began_at)
);
CREATE INDEX studio_records_began_at ON studio_records (began_at);

-- The health every few seconds, as JSON.
CREATE TABLE studio_samples (
    studio_id UUID    NOT NULL REFERENCES studios (id),
    at        BIGINT  NOT NULL,
    sample    TEXT    NOT NULL,
    PRIMARY KEY (studio_id, at)
);
CREATE INDEX studio_samples_at ON studio_samples (at);

-- What verifying content found, as JSON.
CREATE TABLE studio_verifications (
    studio_id    UUID    NOT NULL REFERENCES studios (id),
    content      TEXT    NOT NULL,
    verification TEXT    NOT NULL,
    PRIMARY KEY (studio_id, content)
);

-- report is JSON.
CREATE TABLE studio_drills (
    id         UUID    PRIMARY KEY,
    studio_id  UUID    NOT NULL REFERENCES studios (id),
    kind       TEXT    NOT NULL CHECK (kind IN ('content_failure', 'obs_hang', 'rtmp_drop')),
    state      TEXT    NOT NULL CHECK (state IN ('requested', 'running', 'done', 'failed')),
    ordered_by TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    started_at BIGINT,
    ended_at   BIGINT,
    report     TEXT,
    error      TEXT
);
CREATE UNIQUE INDEX studio_drills_one_open ON studio_drills (studio_id) WHERE ended_at IS NULL;
CREATE INDEX studio_drills_newest ON studio_drills (studio_id, created_at, id);
CREATE INDEX studio_drills_ended_at ON studio_drills (ended_at);
