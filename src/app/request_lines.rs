//! The log lines that requests cause. Anyone can send requests, so above a rate their lines are counted instead of
//! written.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{LogThrottle, Timestamp};

/// How many lines of each kind are written in an interval.
const LINES: u32 = 20;
const INTERVAL: Duration = Duration::from_secs(1);

/// Which lines are alike. Callers can only choose among few kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LineKind {
    /// The message of the line.
    pub line: &'static str,
    /// Why: the reason of a decision or a refusal.
    pub cause: &'static str,
    /// The route, if callers cannot try them all.
    pub route: Option<Arc<str>>,
    /// The HTTP status, if it is about an answer.
    pub status: Option<u16>,
}

/// Decides which lines are written. Metrics count every request.
#[derive(Debug)]
pub struct RequestLines(LogThrottle<LineKind>);

impl Default for RequestLines {
    fn default() -> Self {
        Self(LogThrottle::new(LINES, INTERVAL))
    }
}

impl RequestLines {
    /// Whether a line of `kind` may be written at `now`. Otherwise it is counted.
    pub fn allow(&self, kind: &LineKind, now: Timestamp) -> bool {
        match self.0.allow(kind.clone(), now) {
            Some(0) => true,
            Some(more) => {
                summarize(kind, more);
                true
            }
            None => false,
        }
    }

    /// Writes how many lines were left out, for intervals that are over at `now`.
    pub fn summarize(&self, now: Timestamp) {
        for (kind, more) in self.0.take_suppressed(now) {
            summarize(&kind, more);
        }
    }
}

fn summarize(kind: &LineKind, more: u64) {
    let LineKind { line, cause, route, status } = kind;
    let cause = Some(cause).filter(|cause| !cause.is_empty());
    tracing::info!(line, cause, route = route.as_deref(), status, more, "more lines like this were left out");
}
