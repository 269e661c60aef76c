-- Notifications: subscriptions to events, and the messages to their receivers.
--
-- organization_id is NULL for a subscription of the whole installation. sealed has the address and the secrets. cursor is the
-- number of the last event of which messages were made. filter is JSON.
CREATE TABLE notifications (
    id              UUID PRIMARY KEY,
    organization_id UUID REFERENCES organizations (id),
    name            TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('webhook', 'email', 'discord', 'slack', 'ntfy')),
    target          TEXT    NOT NULL,
    filter          TEXT    NOT NULL,
    enabled         BOOLEAN NOT NULL,
    problem         TEXT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    sealed          TEXT    NOT NULL,
    cursor          BIGINT NOT NULL
);
CREATE INDEX notifications_newest ON notifications (created_at, id);
CREATE INDEX notifications_organization ON notifications (organization_id, created_at, id);

-- payload is what the message says, JSON: the event itself may be removed from the log before the message is sent.
CREATE TABLE notification_deliveries (
    id              UUID PRIMARY KEY,
    notification_id UUID NOT NULL REFERENCES notifications (id),
    seq             BIGINT NOT NULL,
    subject         UUID NOT NULL,
    event           TEXT    NOT NULL,
    created_at      BIGINT NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts        BIGINT NOT NULL,
    next_attempt_at BIGINT,
    give_up_at      BIGINT NOT NULL,
    last_status     BIGINT,
    last_words      TEXT,
    delivered_at    BIGINT,
    payload         TEXT    NOT NULL
);
CREATE INDEX notification_deliveries_newest ON notification_deliveries (notification_id, created_at, id);
CREATE INDEX notification_deliveries_pending ON notification_deliveries (notification_id, subject, seq)
    WHERE state = 'pending';
CREATE INDEX notification_deliveries_old ON notification_deliveries (created_at) WHERE state <> 'pending';
