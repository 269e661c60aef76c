-- Notifications: subscriptions to events, and the messages to their receivers.
--
-- organization_id is NULL for a subscription of the whole installation. sealed has the address and the secrets. cursor is the
-- number of the last event of which messages were made. filter is JSON.
CREATE TABLE notifications (
    id              BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    organization_id BLOB    REFERENCES organizations (id),
    name            TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('webhook', 'email', 'discord', 'slack', 'ntfy')),
    target          TEXT    NOT NULL,
    filter          TEXT    NOT NULL,
    enabled         INTEGER NOT NULL,
    problem         TEXT,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    sealed          TEXT    NOT NULL,
    cursor          INTEGER NOT NULL
) STRICT;
CREATE INDEX notifications_newest ON notifications (created_at, id);
CREATE INDEX notifications_organization ON notifications (organization_id, created_at, id);

-- payload is what the message says, JSON: the event itself may be removed from the log before the message is sent.
CREATE TABLE notification_deliveries (
    id              BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    notification_id BLOB    NOT NULL REFERENCES notifications (id),
    seq             INTEGER NOT NULL,
    subject         BLOB    NOT NULL,
    event           TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts        INTEGER NOT NULL,
    next_attempt_at INTEGER,
    give_up_at      INTEGER NOT NULL,
    last_status     INTEGER,
    last_words      TEXT,
    delivered_at    INTEGER,
    payload         TEXT    NOT NULL
) STRICT;
CREATE INDEX notification_deliveries_newest ON notification_deliveries (notification_id, created_at, id);
CREATE INDEX notification_deliveries_pending ON notification_deliveries (notification_id, subject, seq)
    WHERE state = 'pending';
CREATE INDEX notification_deliveries_old ON notification_deliveries (created_at) WHERE state <> 'pending';
