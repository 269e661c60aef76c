-- Streamers on Kick whose status is watched. Other programs may write this table too:
--
--     INSERT INTO streamers (username) VALUES ('xqc');
--
-- is enough to watch a streamer; UPDATE streamers SET is_active = FALSE pauses it, DELETE removes it. Triggers (below)
-- notify running instances at once. To read, use the view streamer_status, which has readable times. Streamward owns
-- the columns from status to problem.

-- revision grows with each of our own writes to the owner's columns. A write that does not change it comes from another
-- program. COLLATE "C" lowercases and orders names as SQLite does.
CREATE TABLE streamers (
    id                 UUID    PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id    UUID    NOT NULL DEFAULT '00000000-0000-7000-8000-000000000001' REFERENCES organizations (id),
    username           TEXT    COLLATE "C" NOT NULL,
    display_name       TEXT,
    is_active          BOOLEAN NOT NULL DEFAULT TRUE,
    user_id            BIGINT,
    channel_id         BIGINT,
    chatroom_id        BIGINT,
    status             TEXT    NOT NULL DEFAULT 'unknown' CHECK (status IN ('unknown', 'online', 'offline')),
    last_status_update BIGINT,
    last_seen_online   BIGINT,
    session_id         TEXT,
    session_started_at BIGINT,
    session_ended_at   BIGINT,
    session_title      TEXT,
    session_category   TEXT,
    session_viewers    BIGINT,
    ended_watermark    BIGINT,
    contradicted_at    BIGINT,
    offline_due        BIGINT,
    problem            TEXT,
    created_at         BIGINT  NOT NULL DEFAULT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT),
    updated_at         BIGINT  NOT NULL DEFAULT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT),
    revision           BIGINT  NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX streamers_username ON streamers (lower(username));
CREATE INDEX streamers_user ON streamers (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX streamers_offline_due ON streamers (offline_due) WHERE offline_due IS NOT NULL;

-- Each change of status. seq is the number of its event in the event log.
CREATE TABLE status_events (
    seq                BIGINT  PRIMARY KEY,
    streamer_id        UUID    NOT NULL REFERENCES streamers (id) ON DELETE CASCADE,
    previous_status    TEXT    NOT NULL CHECK (previous_status IN ('unknown', 'online', 'offline')),
    new_status         TEXT    NOT NULL CHECK (new_status IN ('online', 'offline')),
    occurred_at        BIGINT  NOT NULL,
    received_at        BIGINT  NOT NULL,
    recorded_at        BIGINT  NOT NULL,
    source             TEXT    NOT NULL,
    session_id         TEXT,
    session_started_at BIGINT,
    session_ended_at   BIGINT,
    session_title      TEXT,
    session_category   TEXT,
    session_viewers    BIGINT,
    banned             BOOLEAN NOT NULL,
    CHECK (previous_status <> new_status)
);
CREATE INDEX status_events_streamer ON status_events (streamer_id, seq);
CREATE INDEX status_events_recorded_at ON status_events (recorded_at);

-- The state of watching, last written by the instance that watches.
CREATE TABLE watch_status (
    name   TEXT   PRIMARY KEY,
    at     BIGINT NOT NULL,
    status TEXT   NOT NULL
) WITH (fillfactor = 10);

-- For people and programs that read by SQL: who is live, with readable times. The session is the current one while
-- online, otherwise the last known one.
CREATE VIEW streamer_status AS
SELECT
    id,
    username,
    display_name,
    is_active,
    status,
    to_timestamp(last_seen_online / 1000000.0)   AS last_seen_online,
    to_timestamp(last_status_update / 1000000.0) AS last_status_update,
    session_id,
    to_timestamp(session_started_at / 1000000.0) AS session_started_at,
    to_timestamp(session_ended_at / 1000000.0)   AS session_ended_at,
    session_title,
    session_category,
    session_viewers,
    problem
FROM streamers;

-- Another program changed the owner's columns: set updated_at. For a new name, clear what was known of the old one;
-- keep ids that were set in the same statement.
CREATE FUNCTION streamers_changed_elsewhere() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT);
    NEW.revision := OLD.revision + 1;
    IF NOT NEW.is_active THEN
        -- An inactive streamer is not watched, so a pending offline cannot be confirmed.
        NEW.offline_due := NULL;
    END IF;
    IF lower(NEW.username) <> lower(OLD.username) THEN
        NEW.user_id := CASE WHEN NEW.user_id IS DISTINCT FROM OLD.user_id THEN NEW.user_id END;
        NEW.channel_id := CASE WHEN NEW.channel_id IS DISTINCT FROM OLD.channel_id THEN NEW.channel_id END;
        NEW.chatroom_id := CASE WHEN NEW.chatroom_id IS DISTINCT FROM OLD.chatroom_id THEN NEW.chatroom_id END;
        NEW.status := 'unknown';
        NEW.last_status_update := NULL;
        NEW.last_seen_online := NULL;
        NEW.session_id := NULL;
        NEW.session_started_at := NULL;
        NEW.session_ended_at := NULL;
        NEW.session_title := NULL;
        NEW.session_category := NULL;
        NEW.session_viewers := NULL;
        NEW.ended_watermark := NULL;
        NEW.contradicted_at := NULL;
        NEW.offline_due := NULL;
        NEW.problem := NULL;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER streamers_changed_elsewhere
BEFORE UPDATE OF username, display_name, is_active ON streamers FOR EACH ROW
WHEN (NEW.revision = OLD.revision AND (NEW.username, NEW.display_name, NEW.is_active)
      IS DISTINCT FROM (OLD.username, OLD.display_name, OLD.is_active))
EXECUTE FUNCTION streamers_changed_elsewhere();

-- The set of watched streamers changed, through any program: wake all instances. PostgreSQL merges equal notifications
-- of one transaction. A change of status must not notify: a notification takes a lock that all commits of the database
-- queue for.
CREATE FUNCTION streamers_wake_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('streamward', '{"from":"sql","wake_ups":["streamers"]}');
    RETURN NULL;
END
$$;
CREATE TRIGGER streamers_wake_up_rows AFTER INSERT OR DELETE ON streamers FOR EACH ROW
EXECUTE FUNCTION streamers_wake_up();
CREATE TRIGGER streamers_wake_up_update
AFTER UPDATE OF username, is_active, user_id, channel_id ON streamers FOR EACH ROW
WHEN ((NEW.username, NEW.is_active, NEW.user_id, NEW.channel_id)
      IS DISTINCT FROM (OLD.username, OLD.is_active, OLD.user_id, OLD.channel_id))
EXECUTE FUNCTION streamers_wake_up();
