-- What live streams carried, for charts: one row for each stream every ten seconds, kept for a day.
CREATE TABLE stream_samples (
    stream_id        BLOB    NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    at               INTEGER NOT NULL,
    readers          INTEGER NOT NULL,
    bytes_per_second INTEGER,
    PRIMARY KEY (stream_id, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX stream_samples_at ON stream_samples (at);
