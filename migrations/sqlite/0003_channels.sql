-- Channels: programmes that never go dark.

-- The broadcaster and the keys are rows of their own tables. There is no reference, because deleting the channel deletes
-- them first. playlist: the clips as JSON; NULL if the backup is a stream. programme_key: sealed.
CREATE TABLE channels (
    id                BLOB    NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    name              TEXT    NOT NULL,
    display_name      TEXT    NOT NULL,
    path              TEXT    NOT NULL,
    enabled           INTEGER NOT NULL,
    mode              TEXT    NOT NULL CHECK (mode IN ('auto', 'hold_live', 'hold_backup', 'slate')),
    hold_expires_at   INTEGER,
    hold_reason       TEXT   ,
    broadcaster_id    BLOB    NOT NULL,
    live_key_id       BLOB    NOT NULL,
    programme_key_id  BLOB    NOT NULL,
    backup_key_id     BLOB   ,
    playlist          TEXT   ,
    failover          TEXT    NOT NULL,
    profile           TEXT    NOT NULL,
    mismatch          TEXT    NOT NULL CHECK (mismatch IN ('refuse', 'switch', 'transcode')),
    engine            TEXT    NOT NULL CHECK (engine IN ('mixer', 'media_server')),
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    programme_key     TEXT    NOT NULL,
    CHECK ((backup_key_id IS NULL) = (playlist IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX channels_name ON channels (name);
CREATE INDEX channels_newest ON channels (created_at, id);
CREATE INDEX channels_organization ON channels (organization_id, created_at, id);
CREATE INDEX channels_broadcaster ON channels (broadcaster_id);

-- stream_key: the platform's key, sealed.
CREATE TABLE destinations (
    id                           BLOB    NOT NULL PRIMARY KEY,
    channel_id                   BLOB    NOT NULL REFERENCES channels (id),
    name                         TEXT    NOT NULL,
    platform                     TEXT    NOT NULL CHECK (platform IN ('youtube', 'facebook', 'twitch', 'kick', 'custom')),
    url                          TEXT    NOT NULL,
    backup_url                   TEXT   ,
    enabled                      INTEGER NOT NULL,
    rotate_session_every_seconds INTEGER,
    created_at                   INTEGER NOT NULL,
    updated_at                   INTEGER NOT NULL,
    stream_key                   TEXT    NOT NULL
) STRICT;
CREATE INDEX destinations_newest ON destinations (channel_id, created_at, id);

-- Cuts, and refusals to cut.
CREATE TABLE channel_decisions (
    id          BLOB    NOT NULL PRIMARY KEY,
    channel_id  BLOB    NOT NULL REFERENCES channels (id),
    at          INTEGER NOT NULL,
    from_source TEXT    CHECK (from_source IN ('live', 'backup', 'slate')),
    to_source   TEXT    NOT NULL CHECK (to_source IN ('live', 'backup', 'slate')),
    kind        TEXT    NOT NULL CHECK (kind IN ('cut', 'refused')),
    reason      TEXT    NOT NULL,
    numbers     TEXT    NOT NULL
) STRICT;
CREATE INDEX channel_decisions_newest ON channel_decisions (channel_id, at, id);
CREATE INDEX channel_decisions_at ON channel_decisions (at);

-- What each running programme last reported, as JSON.
CREATE TABLE channel_status (
    channel_id BLOB    NOT NULL PRIMARY KEY REFERENCES channels (id),
    at         INTEGER NOT NULL,
    status     TEXT    NOT NULL
) STRICT;

CREATE TABLE channel_rehearsals (
    id                   BLOB    NOT NULL PRIMARY KEY,
    channel_id           BLOB    NOT NULL REFERENCES channels (id),
    cut_live_for_seconds INTEGER NOT NULL,
    state                TEXT    NOT NULL CHECK (state IN ('requested', 'running', 'done', 'failed')),
    created_at           INTEGER NOT NULL,
    started_at           INTEGER,
    ended_at             INTEGER,
    report               TEXT   ,
    error                TEXT
) STRICT;
CREATE UNIQUE INDEX channel_rehearsals_one_open ON channel_rehearsals (channel_id) WHERE ended_at IS NULL;
CREATE INDEX channel_rehearsals_channel ON channel_rehearsals (channel_id);
CREATE INDEX channel_rehearsals_ended_at ON channel_rehearsals (ended_at);
