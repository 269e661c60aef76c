//! What the tasks of channels read and write.

use std::collections::HashMap;

use async_trait::async_trait;

use super::args::{arg, list, newest};
use super::channel_tables::LastStatus;
use super::commit::append_events;
use super::row::{NewRow, Record, Row, rows};
use super::store::SqlStore;
use crate::domain::access::Scope;
use crate::domain::channel::{
    Channel, ChannelId, ChannelName, Decision, DecisionId, DecisionKind, Destination, Hold, ProgrammeStatus,
    Rehearsal,
};
use crate::domain::event::{ChannelEvent, EventBody};
use crate::domain::page::{Newest, Page};
use crate::domain::{OrganizationId, Timestamp};
use crate::ports::{ProgrammeStore, ReportedProgrammes, Result, StoredProgramme};

statements! {
    ENABLED = ["SELECT id FROM channels WHERE enabled ORDER BY id"];
    CHANNEL = ["SELECT programme_key, ", [columns channels], " FROM channels WHERE id = $1"];
    DESTINATIONS = [
        "SELECT stream_key, ", [columns destinations], " FROM destinations WHERE channel_id = $1 AND enabled \
         ORDER BY created_at, id",
    ];
    OPEN_REHEARSAL = [[select channel_rehearsals], " WHERE channel_id = $1 AND ended_at IS NULL"];
    SAVE_REHEARSAL = [[update channel_rehearsals state started_at ended_at report error]];
    // Keeps them from being deleted meanwhile.
    HOLD_CHANNELS = ["SELECT id, name, organization_id FROM channels WHERE id IN ", [ids "$1"], " ORDER BY id", [share]];
    SAVE_STATUS = [
        [insert channel_status], " WHERE true ON CONFLICT (channel_id) DO UPDATE SET at = excluded.at, \
         status = excluded.status WHERE channel_status.at < excluded.at",
    ];
    INSERT_DECISIONS = [
        [insert channel_decisions], " WHERE true ON CONFLICT (id) DO NOTHING RETURNING channel_decisions.id",
    ];
    STATUS = ["SELECT status FROM channel_status WHERE channel_id = $1 AND ", [owner_in_scope channels "$1" "$2"]];
    PAGE = [
        [select channel_decisions], " WHERE channel_id = $1 AND ", [owner_in_scope channels "$1" "$5"],
        " AND (at, id) < ($2, $3) ORDER BY at DESC, id DESC LIMIT $4",
    ];
    PRUNE = [
        "DELETE FROM channel_decisions WHERE id IN (SELECT id FROM channel_decisions WHERE at < $1 \
         ORDER BY at LIMIT $2)",
    ];
    PRUNE_REHEARSALS = [
        "DELETE FROM channel_rehearsals WHERE id IN (SELECT id FROM channel_rehearsals WHERE ended_at < $1 \
         ORDER BY ended_at LIMIT $2)",
    ];
}

/// What events of a channel say of it.
struct Known {
    id: ChannelId,
    name: ChannelName,
    organization_id: OrganizationId,
}

impl Record for Known {
    fn read(row: &Row<'_>) -> std::result::Result<Self, sqlx::Error> {
        Ok(Self { id: row.get("id")?, name: row.get("name")?, organization_id: row.get("organization_id")? })
    }
}

#[async_trait]
impl ProgrammeStore for SqlStore {
    async fn enabled_channels(&self) -> Result<Vec<ChannelId>> {
        self.db.rows(ENABLED, args![]).await
    }

    async fn programme(&self, id: ChannelId) -> Result<Option<StoredProgramme>> {
        let mut tx = self.db.snapshot().await?;
        let found: Option<(Channel, String)> = tx.row(CHANNEL, args![id]).await?;
        let Some((channel, sealed_programme_key)) = found else { return tx.rollback(None).await };
        let destinations: Vec<(Destination, String)> = tx.rows(DESTINATIONS, args![id]).await?;
        let rehearsal = tx.row(OPEN_REHEARSAL, args![id]).await?;
        tx.rollback(Some(StoredProgramme { channel, sealed_programme_key, destinations, rehearsal })).await
    }

    async fn expire_hold(&self, id: ChannelId, now: Timestamp) -> Result<Option<Channel>> {
        let expired = |channel: &Channel| channel.hold.expires_at.is_some_and(|at| at <= now);
        self.replace_hold(id, now, &Hold::default(), None, expired).await
    }

    async fn save_rehearsal(&self, rehearsal: &Rehearsal) -> Result<()> {
        self.db.write::<()>(SAVE_REHEARSAL, args![rows([NewRow::of(rehearsal)])]).await.map(drop)
    }

    async fn record_programmes(&self, reported: &ReportedProgrammes, now: Timestamp) -> Result<()> {
        let ReportedProgrammes { statuses, decisions, changes } = reported;
        let of = statuses.iter().map(|(id, _)| *id);
        let of = of.chain(decisions.iter().map(|one| one.channel)).chain(changes.iter().map(|one| one.id));
        let mut tx = self.db.begin().await?;
        let known: Vec<Known> = tx.rows(HOLD_CHANNELS, args![list(of)]).await?;
        let known: HashMap<ChannelId, Known> = known.into_iter().map(|one| (one.id, one)).collect();
        let statuses = statuses.iter().filter(|(id, _)| known.contains_key(id));
        let statuses: Vec<NewRow> = statuses
            .map(|(id, status)| {
                NewRow::of(&LastStatus { channel_id: *id, at: status.at, status: status.clone() })
            })
            .collect();
        if !statuses.is_empty() {
            tx.run(SAVE_STATUS, args![rows(statuses)]).await?;
        }
        let changes = changes.iter().filter_map(|change| {
            Some((known.get(&change.id)?.organization_id, EventBody::channel(change.clone())))
        });
        let mut events: Vec<(OrganizationId, EventBody)> = changes.collect();
        let decisions: Vec<&Decision> =
            decisions.iter().filter(|one| known.contains_key(&one.channel)).collect();
        if !decisions.is_empty() {
            let all = decisions.iter().map(|one| NewRow::of(*one));
            let stored: Vec<DecisionId> = tx.rows(INSERT_DECISIONS, args![rows(all)]).await?;
            let cuts =
                decisions.iter().filter(|one| one.kind == DecisionKind::Cut && stored.contains(&one.id));
            events.extend(cuts.filter_map(|cut| {
                let of = known.get(&cut.channel)?;
                Some((of.organization_id, EventBody::channel(ChannelEvent::cut(&of.name, cut))))
            }));
        }
        append_events(&mut tx, now, &events).await?;
        tx.commit().await
    }

    async fn channel_status(&self, scope: &Scope, id: ChannelId) -> Result<Option<ProgrammeStatus>> {
        let stored: Option<String> = self.db.row(STATUS, args![id, scope]).await?;
        // Another version may have written it. The running programme writes its own soon.
        Ok(stored.and_then(|status| serde_json::from_str(&status).ok()))
    }

    async fn decisions(&self, scope: &Scope, id: ChannelId, page: &Page<Newest>) -> Result<Vec<Decision>> {
        let mut values = args![id];
        values.extend(newest(page));
        values.push(arg(scope));
        self.db.rows(PAGE, values).await
    }

    async fn prune_decisions(&self, before: Timestamp) -> Result<u64> {
        Ok(self.prune(PRUNE, before).await? + self.prune(PRUNE_REHEARSALS, before).await?)
    }
}
