-- Times are microseconds since the Unix epoch. JSON is text, stored as received.

-- Who owns broadcasters, keys, streams, streamers, channels, clips and studios. The first one is there from the start.
CREATE TABLE organizations (
    id         BLOB    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX organizations_name ON organizations (lower(name));
CREATE INDEX organizations_newest ON organizations (created_at, id);
INSERT INTO organizations (id, name, created_at, updated_at) VALUES (x'00000000000070008000000000000001', 'Default', 0, 0);

CREATE TABLE broadcasters (
    id           BLOB    NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    display_name TEXT    NOT NULL,
    metadata     TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX broadcasters_newest ON broadcasters (created_at, id);
CREATE INDEX broadcasters_organization ON broadcasters (organization_id, created_at, id);

-- organization_id is that of the broadcaster. path_held: this key reserves its path. Revoking the key frees the path; so
-- does the next creation on the path once the key has expired. claimed_from: the address of the last claim. takeover_at and
-- takeover_before: when the last two takeovers were.
CREATE TABLE stream_keys (
    id             BLOB    NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL,
    broadcaster_id BLOB    NOT NULL REFERENCES broadcasters (id),
    label          TEXT,
    path           TEXT    NOT NULL,
    path_held      INTEGER NOT NULL,
    key_hash       BLOB    NOT NULL,
    key_prefix     TEXT    NOT NULL,
    on_conflict    TEXT    NOT NULL CHECK (on_conflict IN ('reject', 'takeover')),
    playback_access TEXT   CHECK (playback_access IN ('public', 'token')),
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    revoked_at     INTEGER,
    last_used_at   INTEGER,
    holder_kind    TEXT    CHECK (holder_kind IN ('claimed', 'live', 'evicted')),
    holder_server  TEXT,
    holder_conn    TEXT,
    holder_until   INTEGER,
    claimed_from   TEXT,
    takeover_at    INTEGER,
    takeover_before INTEGER,
    CHECK ((holder_kind IS NULL) = (holder_server IS NULL)),
    CHECK ((holder_kind IS NULL) = (holder_conn IS NULL)),
    CHECK ((holder_kind IS NOT NULL AND holder_kind = 'claimed') = (holder_until IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX stream_keys_hash ON stream_keys (key_hash);
CREATE UNIQUE INDEX stream_keys_one_per_path ON stream_keys (path) WHERE path_held;
CREATE INDEX stream_keys_newest ON stream_keys (created_at, id);
CREATE INDEX stream_keys_organization ON stream_keys (organization_id, created_at, id);
CREATE INDEX stream_keys_path ON stream_keys (path, created_at, id);
CREATE INDEX stream_keys_broadcaster ON stream_keys (broadcaster_id, created_at, id);
CREATE INDEX stream_keys_held_on ON stream_keys (holder_server) WHERE holder_server IS NOT NULL;

-- No reference to keys, broadcasters and organizations: history outlives them. end_reason without ended_at: the stream
-- must end, but the media server still has it.
CREATE TABLE streams (
    id               BLOB    NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL,
    stream_key_id    BLOB    NOT NULL,
    broadcaster_id   BLOB    NOT NULL,
    broadcaster_name TEXT    NOT NULL,
    path             TEXT    NOT NULL,
    media_server     TEXT    NOT NULL,
    started_at       INTEGER NOT NULL,
    ended_at         INTEGER,
    end_reason       TEXT,
    source_kind      TEXT,
    source_id        TEXT,
    ingest           TEXT    NOT NULL,
    readers          INTEGER NOT NULL,
    tracks           TEXT    NOT NULL,
    inbound_bytes    INTEGER NOT NULL,
    metadata         TEXT    NOT NULL,
    recording_ref    TEXT,
    refreshed_at     INTEGER NOT NULL,
    CHECK (ended_at IS NULL OR end_reason IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX streams_one_active_per_key ON streams (stream_key_id) WHERE ended_at IS NULL;
CREATE INDEX streams_active ON streams (started_at, id) WHERE ended_at IS NULL;
CREATE INDEX streams_active_of_broadcaster ON streams (broadcaster_id) WHERE ended_at IS NULL;
CREATE INDEX streams_active_on_server ON streams (media_server) WHERE ended_at IS NULL;
CREATE INDEX streams_newest ON streams (started_at, id);
CREATE INDEX streams_organization ON streams (organization_id, started_at, id);
CREATE INDEX streams_broadcaster ON streams (broadcaster_id, started_at, id);
CREATE INDEX streams_path ON streams (path, started_at, id);
CREATE INDEX streams_media_server ON streams (media_server, started_at, id);

-- Counters in commit order. A transaction takes its numbers last and keeps the row locked until it ends.
CREATE TABLE counters (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
INSERT INTO counters (name, value) VALUES ('events', 0), ('hook_events', 0), ('probe', 0);

-- topic, kind and version define the format of data. Readers skip unknown ones.
CREATE TABLE events (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    organization_id BLOB NOT NULL,
    topic   TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    version INTEGER NOT NULL,
    subject BLOB    NOT NULL,
    data    TEXT    NOT NULL
) STRICT;
CREATE INDEX events_topic ON events (topic, seq);
CREATE INDEX events_subject ON events (subject, seq);
CREATE INDEX events_at ON events (at);

CREATE TABLE audit_log (
    id             BLOB    NOT NULL PRIMARY KEY,
    organization_id BLOB,
    at             INTEGER NOT NULL,
    actor          TEXT,
    action         TEXT    NOT NULL,
    resource_type  TEXT,
    resource_id    TEXT,
    request_method TEXT,
    request_path   TEXT,
    ip_address     TEXT,
    outcome        TEXT    NOT NULL CHECK (outcome IN ('success', 'failure')),
    failure_reason TEXT,
    metadata       TEXT    NOT NULL,
    request_id     TEXT,
    told           INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_log_newest ON audit_log (at, id);
CREATE INDEX audit_log_organization ON audit_log (organization_id, at, id);
CREATE INDEX audit_log_actor ON audit_log (actor, at, id);
CREATE INDEX audit_log_action ON audit_log (action, at, id);
CREATE INDEX audit_log_resource_type ON audit_log (resource_type, at, id);
CREATE INDEX audit_log_resource_id ON audit_log (resource_id, at, id);
CREATE INDEX audit_log_outcome ON audit_log (outcome, at, id);

-- Refused attempts. Equal ones are one row, whose id is made of what they have in common. Without organization_id: of unknown keys.
CREATE TABLE auth_failures (
    id              BLOB    NOT NULL PRIMARY KEY,
    organization_id BLOB,
    cause           TEXT   NOT NULL,
    detail          TEXT,
    media_server    TEXT,
    protocol        TEXT,
    path            TEXT,
    stream_key_id   BLOB,
    key_path        TEXT,
    key_prefix      TEXT,
    ip_address      TEXT,
    first_at        INTEGER NOT NULL,
    last_at         INTEGER NOT NULL,
    times           INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_failures_newest ON auth_failures (last_at, id);
CREATE INDEX auth_failures_organization ON auth_failures (organization_id, last_at, id);

CREATE TABLE api_tokens (
    id         BLOB    NOT NULL PRIMARY KEY,
    organization_id BLOB REFERENCES organizations (id),
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    token_hash BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE UNIQUE INDEX api_tokens_hash ON api_tokens (token_hash);
CREATE INDEX api_tokens_newest ON api_tokens (created_at, id);
CREATE INDEX api_tokens_organization ON api_tokens (organization_id, created_at, id);

CREATE TABLE signed_requests (
    signature BLOB    NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL
) STRICT;
CREATE INDEX signed_requests_at ON signed_requests (at);

-- expires_at is in the database's time, not an instance's.
CREATE TABLE instances (
    id         TEXT NOT NULL PRIMARY KEY,
    epoch      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    capacity   INTEGER NOT NULL
) STRICT;

-- Valid while the instance's lease has the epoch instance_epoch and has not expired. Rows stay, so that the epoch keeps
-- growing.
CREATE TABLE assignments (
    key            TEXT NOT NULL PRIMARY KEY,
    instance       TEXT    NOT NULL,
    instance_epoch INTEGER NOT NULL,
    epoch          INTEGER NOT NULL
) STRICT;

CREATE TABLE secrets (
    name   TEXT NOT NULL PRIMARY KEY,
    sealed TEXT NOT NULL
) STRICT;

CREATE TABLE hook_events (
    seq          INTEGER PRIMARY KEY,
    media_server TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    path         TEXT,
    key_hash     BLOB,
    source_id    TEXT,
    source_kind  TEXT,
    at           INTEGER NOT NULL
) STRICT;
CREATE INDEX hook_events_media_server ON hook_events (media_server, seq);

CREATE TABLE media_servers (
    name           TEXT    NOT NULL PRIMARY KEY,
    version        TEXT,
    run            TEXT,
    reachable      INTEGER NOT NULL,
    since          INTEGER NOT NULL,
    last_reconcile INTEGER,
    last_error     TEXT,
    drift_repaired INTEGER NOT NULL,
    last_hook      INTEGER,
    last_auth      INTEGER,
    -- Whether the event log says last that it is unreachable
    told_unreachable INTEGER NOT NULL
) STRICT;
