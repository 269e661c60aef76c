-- Streamers on Kick whose status is watched. Other programs may write this table too:
--
--     INSERT INTO streamers (username) VALUES ('xqc');
--
-- is enough to watch a streamer; UPDATE streamers SET is_active = FALSE pauses it, DELETE removes it. The serving
-- process finds the change at its next poll. To read, use the view streamer_status, which has readable times.
-- Streamward owns the columns from status to problem.
--
-- The other program's SQLite runs the defaults, triggers and view, so they work with SQLite 3.37.

-- id: a random UUID, version 4, as 16 bytes. The version and variant bytes are picked from the valid ones.
-- revision grows with each of our own writes to the owner's columns. A write that does not change it comes from another
-- program.
CREATE TABLE streamers (
    id                 BLOB    NOT NULL PRIMARY KEY DEFAULT (CAST(randomblob(6) || substr(x'404142434445464748494A4B4C4D4E4F', 1 + (random() & 15), 1) || randomblob(1)
        || substr(x'8090A0B0', 1 + (random() & 3), 1) || randomblob(7) AS BLOB)) CHECK (length(id) = 16),
    organization_id    BLOB    NOT NULL DEFAULT x'00000000000070008000000000000001' REFERENCES organizations (id),
    username           TEXT    NOT NULL,
    display_name       TEXT,
    is_active          INTEGER NOT NULL DEFAULT TRUE,
    user_id            INTEGER,
    channel_id         INTEGER,
    chatroom_id        INTEGER,
    status             TEXT    NOT NULL DEFAULT 'unknown' CHECK (status IN ('unknown', 'online', 'offline')),
    last_status_update INTEGER,
    last_seen_online   INTEGER,
    session_id         TEXT,
    session_started_at INTEGER,
    session_ended_at   INTEGER,
    session_title      TEXT,
    session_category   TEXT,
    session_viewers    INTEGER,
    ended_watermark    INTEGER,
    contradicted_at    INTEGER,
    offline_due        INTEGER,
    problem            TEXT,
    created_at         INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    updated_at         INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    revision           INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX streamers_username ON streamers (lower(username));
CREATE INDEX streamers_user ON streamers (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX streamers_offline_due ON streamers (offline_due) WHERE offline_due IS NOT NULL;

-- Each change of status. seq is the number of its event in the event log.
CREATE TABLE status_events (
    seq                INTEGER PRIMARY KEY,
    streamer_id        BLOB    NOT NULL REFERENCES streamers (id) ON DELETE CASCADE,
    previous_status    TEXT    NOT NULL CHECK (previous_status IN ('unknown', 'online', 'offline')),
    new_status         TEXT    NOT NULL CHECK (new_status IN ('online', 'offline')),
    occurred_at        INTEGER NOT NULL,
    received_at        INTEGER NOT NULL,
    recorded_at        INTEGER NOT NULL,
    source             TEXT    NOT NULL,
    session_id         TEXT,
    session_started_at INTEGER,
    session_ended_at   INTEGER,
    session_title      TEXT,
    session_category   TEXT,
    session_viewers    INTEGER,
    banned             INTEGER NOT NULL,
    CHECK (previous_status <> new_status)
) STRICT;
CREATE INDEX status_events_streamer ON status_events (streamer_id, seq);
CREATE INDEX status_events_recorded_at ON status_events (recorded_at);

-- SQLite only cascades if the program enabled foreign keys. This trigger works for every program.
CREATE TRIGGER streamers_deleted AFTER DELETE ON streamers BEGIN
    DELETE FROM status_events WHERE streamer_id = OLD.id;
END;

-- The state of watching, last written by the instance that watches.
CREATE TABLE watch_status (
    name   TEXT    NOT NULL PRIMARY KEY,
    at     INTEGER NOT NULL,
    status TEXT    NOT NULL
) STRICT;

-- For people and programs that read by SQL: who is live, with readable times. The session is the current one while
-- online, otherwise the last known one.
CREATE VIEW streamer_status AS
SELECT
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-'
          || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
    username,
    display_name,
    is_active,
    status,
    strftime('%Y-%m-%dT%H:%M:%fZ', last_seen_online / 1000000.0, 'unixepoch') AS last_seen_online,
    strftime('%Y-%m-%dT%H:%M:%fZ', last_status_update / 1000000.0, 'unixepoch') AS last_status_update,
    session_id,
    strftime('%Y-%m-%dT%H:%M:%fZ', session_started_at / 1000000.0, 'unixepoch') AS session_started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', session_ended_at / 1000000.0, 'unixepoch') AS session_ended_at,
    session_title,
    session_category,
    session_viewers,
    problem
FROM streamers;

-- Another program changed the owner's columns: set updated_at. For a new name, clear what was known of the old one;
-- keep ids that were set in the same statement.
CREATE TRIGGER streamers_changed_elsewhere AFTER UPDATE OF username, display_name, is_active ON streamers
WHEN NEW.revision = OLD.revision AND (NEW.username <> OLD.username OR NEW.display_name IS NOT OLD.display_name
                                      OR NEW.is_active <> OLD.is_active)
BEGIN
    UPDATE streamers SET revision = OLD.revision + 1, updated_at = (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
    WHERE id = NEW.id;
    -- An inactive streamer is not watched, so a pending offline cannot be confirmed.
    UPDATE streamers SET offline_due = NULL WHERE id = NEW.id AND NOT NEW.is_active;
    UPDATE streamers SET
        user_id = CASE WHEN NEW.user_id IS NOT OLD.user_id THEN NEW.user_id END,
        channel_id = CASE WHEN NEW.channel_id IS NOT OLD.channel_id THEN NEW.channel_id END,
        chatroom_id = CASE WHEN NEW.chatroom_id IS NOT OLD.chatroom_id THEN NEW.chatroom_id END,
        status = 'unknown',
        last_status_update = NULL,
        last_seen_online = NULL,
        session_id = NULL,
        session_started_at = NULL,
        session_ended_at = NULL,
        session_title = NULL,
        session_category = NULL,
        session_viewers = NULL,
        ended_watermark = NULL,
        contradicted_at = NULL,
        offline_due = NULL,
        problem = NULL
    WHERE id = NEW.id AND lower(NEW.username) <> lower(OLD.username);
END;
