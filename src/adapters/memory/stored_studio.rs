//! A studio and its history, in memory.

use std::collections::{BTreeMap, HashSet};

use crate::domain::Timestamp;
use crate::domain::studio::{
    Downtime, Drill, HealthSample, Library, Record, Snapshot, StreamSession, Studio, StudioDecision,
};
use crate::ports::StudioReport;

/// A studio and its history.
pub(super) struct StoredStudio {
    pub(super) studio: Studio,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) sessions: BTreeMap<Timestamp, StreamSession>,
    pub(super) downtimes: BTreeMap<Timestamp, Downtime>,
    pub(super) decisions: Vec<StudioDecision>,
    pub(super) records: BTreeMap<(&'static str, Timestamp), Record>,
    pub(super) samples: BTreeMap<Timestamp, HealthSample>,
    pub(super) library: Library,
    pub(super) drills: Vec<Drill>,
}

impl StoredStudio {
    pub(super) fn new(studio: &Studio) -> Self {
        Self {
            studio: studio.clone(),
            snapshot: None,
            sessions: BTreeMap::new(),
            downtimes: BTreeMap::new(),
            decisions: Vec::new(),
            records: BTreeMap::new(),
            samples: BTreeMap::new(),
            library: Library::default(),
            drills: Vec::new(),
        }
    }

    pub(super) fn open_drill(&self) -> Option<&Drill> {
        self.drills.iter().find(|one| one.is_open())
    }

    /// Stores the report; returns the decisions that are new.
    pub(super) fn record(&mut self, report: &StudioReport, now: Timestamp) -> Vec<StudioDecision> {
        let is_later = |stored: &Snapshot, at| stored.at > at && stored.at <= now;
        if let Some(snapshot) = &report.snapshot
            && !self.snapshot.as_ref().is_some_and(|stored| is_later(stored, snapshot.at))
        {
            self.snapshot = Some(snapshot.clone());
        }
        self.sessions.extend(report.sessions.iter().map(|one| (one.started_at, *one)));
        self.downtimes.retain(|began_at, _| !report.withdrawn.contains(began_at));
        self.downtimes.extend(report.downtimes.iter().map(|one| (one.started_at, *one)));
        let named = |one: &Record| ((one.kind().as_str(), one.began_at()), one.clone());
        self.records.extend(report.records.iter().map(named));
        for sample in &report.samples {
            self.samples.entry(sample.at).or_insert_with(|| sample.clone());
        }
        for (name, found) in &report.verified {
            self.library.record(name.clone(), found.clone());
        }
        if let Some(drill) = &report.drill {
            let stored = self.drills.iter_mut().filter(|one| one.id == drill.id);
            stored.for_each(|stored| stored.clone_from(drill));
        }
        let mut known: HashSet<_> = self.decisions.iter().map(|one| one.id).collect();
        let new: Vec<_> = report.decisions.iter().filter(|one| known.insert(one.id)).cloned().collect();
        self.decisions.extend(new.iter().cloned());
        new
    }

    /// The number of rows that [`Self::prune`] can remove.
    pub(super) fn history(&self) -> usize {
        self.sessions.len()
            + self.downtimes.len()
            + self.drills.len()
            + self.decisions.len()
            + self.records.len()
    }

    pub(super) fn prune(&mut self, before: Timestamp) {
        let lasted = |ended_at: Option<Timestamp>| ended_at.is_none_or(|at| at >= before);
        self.sessions.retain(|_, one| lasted(one.ended_at));
        self.downtimes.retain(|_, one| lasted(one.ended_at));
        self.drills.retain(|one| lasted(one.ended_at));
        self.decisions.retain(|one| one.at >= before);
        self.records.retain(|(_, began_at), _| *began_at >= before);
    }
}
