-- What live streams carried, for charts: one row for each stream every ten seconds, kept for a day.
CREATE TABLE stream_samples (
    stream_id        UUID   NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    at               BIGINT NOT NULL,
    readers          BIGINT NOT NULL,
    bytes_per_second BIGINT,
    PRIMARY KEY (stream_id, at)
);
CREATE INDEX stream_samples_at ON stream_samples (at);
