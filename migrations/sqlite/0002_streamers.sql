-- Streamers on Kick whose status is watched. Other programs may write this table too:
--
--     INSERT INTO streamers (username) VALUES ('xqc');
--
-- is all it takes to watch one; UPDATE streamers SET is_active = FALSE pauses it, DELETE ends it. The serving process
-- finds it when it looks the next time. What is read is best read from the view streamer_status, which shows times as
-- times. Everything from status to problem belongs to Streamward.
--
-- Defaults, triggers and the view are carried out by the other program's SQLite, so they use nothing that 3.37 lacks.

-- id: a random UUID, version 4, as 16 bytes. The bytes with version and variant are chosen among those that fit.
-- revision grows with each of our own writes of what belongs to the owner: a write that leaves it as it is comes from
-- another program.
CREATE TABLE streamers (
    id                 BLOB    NOT NULL PRIMARY KEY DEFAULT (CAST(randomblob(6) || substr(x'404142434445464748494A4B4C4D4E4F', 1 + (random() & 15), 1) || randomblob(1)
        || substr(x'8090A0B0', 1 + (random() & 3), 1) || randomblob(7) AS BLOB)) CHECK (length(id) = 16),
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
    ended_watermark        INTEGER,
    contradicted_at         INTEGER,
    offline_due        INTEGER,
    problem            TEXT,
    created_at         INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    updated_at         INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    revision           INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX streamers_username ON streamers (lower(username));
CREATE INDEX streamers_user ON streamers (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX streamers_offline_due ON streamers (offline_due) WHERE offline_due IS NOT NULL;

-- Each change of status. seq is the number of the event in the event log that tells of the same change.
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

-- SQLite cascades only where a program asked for it; this does it for all.
CREATE TRIGGER streamers_deleted AFTER DELETE ON streamers BEGIN
    DELETE FROM status_events WHERE streamer_id = OLD.id;
END;

-- How watching is doing, as whoever does it wrote it down last.
CREATE TABLE watch_status (
    name   TEXT    NOT NULL PRIMARY KEY,
    at     INTEGER NOT NULL,
    status TEXT    NOT NULL
) STRICT;

-- For people and programs that read by SQL: who is live, with times as times. The session is the present one while
-- online, otherwise the last one that is known.
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

-- Another program changed what belongs to the owner: note when, and forget what was known of another name. Numbers
-- that it gave together with the new name are kept.
CREATE TRIGGER streamers_changed_elsewhere AFTER UPDATE OF username, display_name, is_active ON streamers
WHEN NEW.revision = OLD.revision AND (NEW.username <> OLD.username OR NEW.display_name IS NOT OLD.display_name
                                      OR NEW.is_active <> OLD.is_active)
BEGIN
    UPDATE streamers SET revision = OLD.revision + 1, updated_at = (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
    WHERE id = NEW.id;
    -- Nobody will know whether it lasts.
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
