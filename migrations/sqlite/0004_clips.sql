-- Clips: uploaded files, and what was made of them. The files are in the folder media.dir.
--
-- upload_offset: so many bytes are stored for certain. probe and renditions are JSON. stored_bytes counts the uploaded
-- file and its renditions. job has the clip until job_until; attempts counts those that ended without a step.
CREATE TABLE clips (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    name          TEXT    NOT NULL,
    size          INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('uploading', 'queued', 'probing', 'normalizing', 'ready', 'failed')),
    upload_offset INTEGER,
    expires_at    INTEGER,
    progress      INTEGER,
    error         TEXT,
    source        BLOB,
    probe         TEXT,
    renditions    TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    stored_bytes  INTEGER NOT NULL,
    job           BLOB,
    job_until     INTEGER,
    attempts      INTEGER NOT NULL
) STRICT;
CREATE INDEX clips_newest ON clips (created_at, id);
CREATE INDEX clips_organization ON clips (organization_id, created_at, id);
CREATE INDEX clips_to_prepare ON clips (created_at, id) WHERE state IN ('queued', 'probing', 'normalizing');
CREATE INDEX clips_uploading ON clips (expires_at) WHERE state = 'uploading';

-- Locked while a clip is created, so that two at once do not exceed the limit of all clips.
INSERT INTO counters (name, value) VALUES ('clips', 0);
