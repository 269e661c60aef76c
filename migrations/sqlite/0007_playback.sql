-- Tokens for viewers, without the tokens themselves. organization_id: whose streams a token opens; NULL for all. revoked_in is
-- the number of the change that revoked it.
CREATE TABLE playback_tokens (
    id              BLOB    NOT NULL PRIMARY KEY,
    organization_id BLOB REFERENCES organizations (id) ON DELETE CASCADE,
    paths           TEXT    NOT NULL,
    address         TEXT,
    max_sessions    INTEGER,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    revoked_at      INTEGER,
    revoked_in      INTEGER,
    CHECK ((revoked_at IS NULL) = (revoked_in IS NULL))
) STRICT;
CREATE INDEX playback_tokens_newest ON playback_tokens (created_at, id);
CREATE INDEX playback_tokens_organization ON playback_tokens (organization_id, created_at, id);
CREATE INDEX playback_tokens_expiry ON playback_tokens (expires_at);
CREATE INDEX playback_tokens_revoked ON playback_tokens (revoked_in) WHERE revoked_in IS NOT NULL;

-- What signs them. Sealed.
CREATE TABLE playback_keys (
    number     INTEGER NOT NULL PRIMARY KEY,
    sealed     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    signs_from INTEGER NOT NULL
) STRICT;

INSERT INTO counters (name, value) VALUES ('playback', 0);
