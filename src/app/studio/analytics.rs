//! How long changes took, from what really happened.

use std::time::Duration;

use super::health::days;
use super::{RESOURCE, Studios};
use crate::app::Result;
use crate::domain::access::{Action, Actor};
use crate::domain::studio::{
    FAILOVER_WITHIN, FailoverEvent, OWNER_WITHIN, Record, RecordKind, StudioName, Summary, TransitionKind,
};

/// The most records that are read: one a minute for a month.
const MOST: u32 = 50_000;
/// The most failovers that are listed.
const LISTED: usize = 100;

/// The changes of the scene in a period.
#[derive(Clone, Debug)]
pub struct TransitionAnalytics {
    /// The period, in days.
    pub period_days: u32,
    /// Those of each kind.
    pub kinds: Vec<TransitionTimes>,
}

/// The changes of the scene of one kind.
#[derive(Clone, Debug)]
pub struct TransitionTimes {
    /// What they were for.
    pub kind: TransitionKind,
    /// How long they may take; `None` if nothing is promised.
    pub promised: Option<Duration>,
    /// How long they took, from the first notice of their reason to OBS's confirmation.
    pub times: Summary,
}

/// The failures of content in a period.
#[derive(Clone, Debug)]
pub struct FailoverAnalytics {
    /// The period, in days.
    pub period_days: u32,
    /// How long they may take.
    pub promised: Duration,
    /// How long they took, from the first bad moment to a good picture. What lasts counts to now.
    pub times: Summary,
    /// How many last.
    pub ongoing: usize,
    /// The last hundred, newest first.
    pub last: Vec<FailoverEvent>,
}

impl Studios {
    /// How long changes of the scene took in the last `period_days` (7).
    pub async fn transitions(
        &self,
        actor: &Actor,
        name: &StudioName,
        period_days: Option<&str>,
    ) -> Result<TransitionAnalytics> {
        let (period_days, records) = self.records(actor, name, RecordKind::Transition, period_days).await?;
        let times = |kind: TransitionKind| {
            let promised = match kind {
                TransitionKind::ToOwner | TransitionKind::FromOwner => Some(OWNER_WITHIN),
                TransitionKind::Failover => Some(FAILOVER_WITHIN),
                TransitionKind::Return | TransitionKind::Other => None,
            };
            let of_kind = records.iter().filter_map(|record| match record {
                Record::Transition(one) if one.kind == kind => Some(Duration::from_millis(one.total_ms)),
                _ => None,
            });
            let times: Vec<_> = of_kind.collect();
            TransitionTimes { kind, promised, times: Summary::of(&times, promised.unwrap_or(Duration::MAX)) }
        };
        let kinds = TransitionKind::ALL.iter().copied().map(times).collect();
        Ok(TransitionAnalytics { period_days, kinds })
    }

    /// How long failovers took in the last `period_days` (7).
    pub async fn failovers(
        &self,
        actor: &Actor,
        name: &StudioName,
        period_days: Option<&str>,
    ) -> Result<FailoverAnalytics> {
        let (period_days, records) = self.records(actor, name, RecordKind::Failover, period_days).await?;
        let all: Vec<_> = records
            .into_iter()
            .filter_map(|record| match record {
                Record::Failover(one) => Some(one),
                Record::Transition(_) | Record::OwnerSession(_) => None,
            })
            .collect();
        let now = self.core.now();
        let took = |one: &FailoverEvent| {
            one.recovered_ms.map_or_else(|| now.since(one.failed_at), Duration::from_millis)
        };
        let times: Vec<_> = all.iter().map(took).collect();
        Ok(FailoverAnalytics {
            period_days,
            promised: FAILOVER_WITHIN,
            times: Summary::of(&times, FAILOVER_WITHIN),
            ongoing: all.iter().filter(|one| one.recovered_ms.is_none()).count(),
            last: all.into_iter().rev().take(LISTED).collect(),
        })
    }

    async fn records(
        &self,
        actor: &Actor,
        name: &StudioName,
        kind: RecordKind,
        period_days: Option<&str>,
    ) -> Result<(u32, Vec<Record>)> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let (period_days, period) = days(period_days)?;
        let (_, studio) = self.stored(&scope, name).await?;
        let since = self.core.now().minus(period);
        let turn = self.core.lists.turn().await;
        Ok((period_days, turn.studio_records(&scope, studio.id, kind, since, MOST).await?))
    }
}
