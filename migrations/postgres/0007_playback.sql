-- Tokens for viewers, without the tokens themselves. organization_id: whose streams a token opens; NULL for all. revoked_in is
-- the number of the change that revoked it.
CREATE TABLE playback_tokens (
    id              UUID   NOT NULL PRIMARY KEY,
    organization_id UUID REFERENCES organizations (id) ON DELETE CASCADE,
    paths           TEXT   NOT NULL,
    address         TEXT,
    max_sessions    BIGINT,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    revoked_at      BIGINT,
    revoked_in      BIGINT,
    CHECK ((revoked_at IS NULL) = (revoked_in IS NULL))
);
CREATE INDEX playback_tokens_newest ON playback_tokens (created_at, id);
CREATE INDEX playback_tokens_organization ON playback_tokens (organization_id, created_at, id);
CREATE INDEX playback_tokens_expiry ON playback_tokens (expires_at);
CREATE INDEX playback_tokens_revoked ON playback_tokens (revoked_in) WHERE revoked_in IS NOT NULL;

-- What signs them. Sealed.
CREATE TABLE playback_keys (
    number     BIGINT NOT NULL PRIMARY KEY,
    sealed     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL
);

INSERT INTO counters (name, value) VALUES ('playback', 0);
