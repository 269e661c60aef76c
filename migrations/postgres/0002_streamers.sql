-- Streamers on Kick whose status is watched. Other programs may write this table too:
--
--     INSERT INTO streamers (username) VALUES ('xqc');
--
-- is all it takes to watch one; UPDATE streamers SET is_active = FALSE pauses it, DELETE ends it. Running instances are
-- told at once (the triggers below). What is read is best read from the view streamer_status, which shows times as
-- times. Everything from status to problem belongs to Streamward.

-- revision grows with each of our own writes of what belongs to the owner: a write that leaves it as it is comes from
-- another program. COLLATE "C" lowers and sorts names as SQLite does.
CREATE TABLE streamers (
    id                 UUID    PRIMARY KEY DEFAULT gen_random_uuid(),
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
    ended_watermark        BIGINT,
    contradicted_at         BIGINT,
    offline_due        BIGINT,
    problem            TEXT,
    created_at         BIGINT  NOT NULL DEFAULT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT),
    updated_at         BIGINT  NOT NULL DEFAULT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT),
    revision           BIGINT  NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX streamers_username ON streamers (lower(username));
CREATE INDEX streamers_user ON streamers (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX streamers_offline_due ON streamers (offline_due) WHERE offline_due IS NOT NULL;

-- Each change of status. seq is the number of the event in the event log that tells of the same change.
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

-- How watching is doing, as whoever does it wrote it down last.
CREATE TABLE watch_status (
    name   TEXT   PRIMARY KEY,
    at     BIGINT NOT NULL,
    status TEXT   NOT NULL
) WITH (fillfactor = 10);

-- For people and programs that read by SQL: who is live, with times as times. The session is the present one while
-- online, otherwise the last one that is known.
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

-- Another program changed what belongs to the owner: note when, and forget what was known of another name. Numbers
-- that it gave together with the new name are kept.
CREATE FUNCTION streamers_changed_elsewhere() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT);
    NEW.revision := OLD.revision + 1;
    IF NOT NEW.is_active THEN
        -- Nobody will know whether it lasts.
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

-- Who is to be watched changed, by whomever: wake_up all instances. PostgreSQL sends the same notification once per
-- transaction, however many rows there are. A change of status never gets here: a notification takes a lock that all
-- commits of the database queue for.
CREATE FUNCTION streamers_nudge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('streamward', '{"from":"sql","wake_ups":["streamers"]}');
    RETURN NULL;
END
$$;
CREATE TRIGGER streamers_wake_up_rows AFTER INSERT OR DELETE ON streamers FOR EACH ROW
EXECUTE FUNCTION streamers_nudge();
CREATE TRIGGER streamers_wake_up_update
AFTER UPDATE OF username, is_active, user_id, channel_id ON streamers FOR EACH ROW
WHEN ((NEW.username, NEW.is_active, NEW.user_id, NEW.channel_id)
      IS DISTINCT FROM (OLD.username, OLD.is_active, OLD.user_id, OLD.channel_id))
EXECUTE FUNCTION streamers_nudge();
