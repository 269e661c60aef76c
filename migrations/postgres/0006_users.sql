-- People who sign in.
--
-- email is in lower case. password is a hash in the PHC string format. totp_sealed is the sealed secret of the second
-- factor, which is needed from totp_confirmed on; totp_step is the step of the last accepted code.
-- issuer and subject name a person who signs in with a provider, and has no password.
CREATE TABLE users (
    id             UUID    PRIMARY KEY,
    email          TEXT    NOT NULL,
    display_name   TEXT    NOT NULL,
    administrator  BOOLEAN NOT NULL,
    password       TEXT,
    totp_sealed    TEXT,
    totp_confirmed BOOLEAN NOT NULL,
    totp_step      BIGINT,
    created_at     BIGINT  NOT NULL,
    updated_at     BIGINT  NOT NULL,
    signed_in_at   BIGINT,
    issuer         TEXT,
    subject        TEXT,
    CHECK ((issuer IS NULL) = (subject IS NULL)),
    CHECK (issuer IS NULL OR password IS NULL)
);
CREATE UNIQUE INDEX users_email ON users (email);
CREATE UNIQUE INDEX users_identity ON users (issuer, subject);
CREATE INDEX users_newest ON users (created_at, id);

CREATE TABLE user_roles (
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    role            TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    PRIMARY KEY (user_id, organization_id)
);
CREATE INDEX user_roles_organization ON user_roles (organization_id);

CREATE TABLE user_recovery_codes (
    user_id   UUID  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash BYTEA NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

-- A session is a user's, or that of an API token that was exchanged for a cookie.
CREATE TABLE user_sessions (
    id          UUID   PRIMARY KEY,
    user_id     UUID   REFERENCES users (id) ON DELETE CASCADE,
    token_hash  BYTEA,
    secret_hash BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    used_at     BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    ip_address  TEXT,
    user_agent  TEXT,
    CHECK ((user_id IS NULL) <> (token_hash IS NULL))
);
CREATE UNIQUE INDEX user_sessions_secret ON user_sessions (secret_hash);
CREATE INDEX user_sessions_user ON user_sessions (user_id, used_at);
CREATE INDEX user_sessions_expiry ON user_sessions (expires_at);

-- A link without a user makes the first administrator.
CREATE TABLE user_links (
    secret_hash BYTEA  PRIMARY KEY,
    user_id     UUID   REFERENCES users (id) ON DELETE CASCADE,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX user_links_user ON user_links (user_id);
CREATE INDEX user_links_expiry ON user_links (expires_at);

-- What attempts are counted for is only there as a hash.
CREATE TABLE user_attempts (
    subject     BYTEA  PRIMARY KEY,
    failures    BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    known_until BIGINT
);
CREATE INDEX user_attempts_at ON user_attempts (at);

-- Locked while an administrator is removed or the first one is made, so that two calls at once see each other.
INSERT INTO counters (name, value) VALUES ('administrators', 0);
