-- People who sign in.
--
-- email is in lower case. password is a hash in the PHC string format. totp_sealed is the sealed secret of the second
-- factor, which is needed from totp_confirmed on; totp_step is the step of the last accepted code.
-- issuer and subject name a person who signs in with a provider, and has no password.
CREATE TABLE users (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    email          TEXT    NOT NULL,
    display_name   TEXT    NOT NULL,
    administrator  INTEGER NOT NULL CHECK (administrator IN (0, 1)),
    password       TEXT,
    totp_sealed    TEXT,
    totp_confirmed INTEGER NOT NULL CHECK (totp_confirmed IN (0, 1)),
    totp_step      INTEGER,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    signed_in_at   INTEGER,
    issuer         TEXT,
    subject        TEXT,
    CHECK ((issuer IS NULL) = (subject IS NULL)),
    CHECK (issuer IS NULL OR password IS NULL)
) STRICT;
CREATE UNIQUE INDEX users_email ON users (email);
CREATE UNIQUE INDEX users_identity ON users (issuer, subject);
CREATE INDEX users_newest ON users (created_at, id);

CREATE TABLE user_roles (
    user_id         BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    role            TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    PRIMARY KEY (user_id, organization_id)
) STRICT;
CREATE INDEX user_roles_organization ON user_roles (organization_id);

CREATE TABLE user_recovery_codes (
    user_id   BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash BLOB NOT NULL CHECK (length(code_hash) = 32),
    PRIMARY KEY (user_id, code_hash)
) STRICT;

-- A session is a user's, or that of an API token that was exchanged for a cookie.
CREATE TABLE user_sessions (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id     BLOB REFERENCES users (id) ON DELETE CASCADE,
    token_hash  BLOB    CHECK (length(token_hash) = 32),
    secret_hash BLOB    NOT NULL CHECK (length(secret_hash) = 32),
    created_at  INTEGER NOT NULL,
    used_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    ip_address  TEXT,
    user_agent  TEXT,
    CHECK ((user_id IS NULL) <> (token_hash IS NULL))
) STRICT;
CREATE UNIQUE INDEX user_sessions_secret ON user_sessions (secret_hash);
CREATE INDEX user_sessions_user ON user_sessions (user_id, used_at);
CREATE INDEX user_sessions_expiry ON user_sessions (expires_at);

-- A link without a user makes the first administrator.
CREATE TABLE user_links (
    secret_hash BLOB    NOT NULL PRIMARY KEY CHECK (length(secret_hash) = 32),
    user_id     BLOB REFERENCES users (id) ON DELETE CASCADE,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX user_links_user ON user_links (user_id);
CREATE INDEX user_links_expiry ON user_links (expires_at);

-- What attempts are counted for is only there as a hash.
CREATE TABLE user_attempts (
    subject     BLOB    NOT NULL PRIMARY KEY CHECK (length(subject) = 32),
    failures    INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    known_until INTEGER
) STRICT;
CREATE INDEX user_attempts_at ON user_attempts (at);

-- Locked while an administrator is removed or the first one is made, so that two calls at once see each other.
INSERT INTO counters (name, value) VALUES ('administrators', 0);
