//! Reads and prunes the event log. `commit.rs` writes it.

use async_trait::async_trait;

use super::error::corrupt;
use super::store::SqlStore;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::event::{StoredEvent, Topic};
use crate::ports::{EventFilter, EventStore, Result};

statements! {
    AFTER = [[select events], " WHERE ", [in_scope "$3"], " AND seq > $1 ORDER BY seq LIMIT $2"];
    AFTER_OF_TOPIC = [
        [select events], " WHERE topic = $4 AND ", [in_scope "$3"], " AND seq > $1 ORDER BY seq LIMIT $2",
    ];
    BEFORE = [[select events], " WHERE ", [in_scope "$3"], " AND seq < $1 ORDER BY seq DESC LIMIT $2"];
    BEFORE_OF_TOPIC = [
        [select events], " WHERE topic = $4 AND ", [in_scope "$3"], " AND seq < $1 ORDER BY seq DESC LIMIT $2",
    ];
    BEFORE_OF_SUBJECT = [
        [select events], " WHERE subject = $4 AND (topic = $5 OR $5 IS NULL) AND ", [in_scope "$3"],
        " AND seq < $1 ORDER BY seq DESC LIMIT $2",
    ];
    LAST = ["SELECT value FROM counters WHERE name = 'events'"];
    FIRST = ["SELECT seq FROM events ORDER BY seq LIMIT 1"];
    PRUNE = ["DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < $1 ORDER BY at LIMIT $2)"];
}

#[async_trait]
impl EventStore for SqlStore {
    async fn events_after(
        &self,
        scope: &Scope,
        topic: Option<Topic>,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>> {
        match topic {
            None => self.db.rows(AFTER, args![seq, limit, scope]).await,
            Some(topic) => self.db.rows(AFTER_OF_TOPIC, args![seq, limit, scope, topic.as_str()]).await,
        }
    }

    async fn events_before(
        &self,
        scope: &Scope,
        filter: &EventFilter,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>> {
        let topic = filter.topic.map(Topic::as_str);
        match (filter.subject, topic) {
            (Some(subject), topic) => {
                self.db.rows(BEFORE_OF_SUBJECT, args![seq, limit, scope, subject, topic]).await
            }
            (None, Some(topic)) => self.db.rows(BEFORE_OF_TOPIC, args![seq, limit, scope, topic]).await,
            (None, None) => self.db.rows(BEFORE, args![seq, limit, scope]).await,
        }
    }

    async fn last_event(&self) -> Result<i64> {
        self.db.row(LAST, args![]).await?.ok_or_else(|| corrupt("the counter of events is missing"))
    }

    async fn first_event(&self) -> Result<Option<i64>> {
        self.db.row(FIRST, args![]).await
    }

    async fn prune_events(&self, before: Timestamp) -> Result<u64> {
        self.prune(PRUNE, before).await
    }
}
