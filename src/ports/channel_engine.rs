//! What carries the media of channels.

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::LeaseCheck;
use crate::domain::channel::{Decision, Programme, ProgrammeStatus};

/// What a running programme reports.
#[derive(Clone, Debug)]
pub struct ProgrammeReports {
    /// Each decision. The engine MUST NOT wait for room: a decision that finds none is kept and sent later.
    pub decisions: mpsc::Sender<Decision>,
    /// What is so now, renewed at least once a second.
    pub status: watch::Sender<Option<ProgrammeStatus>>,
}

/// An engine: runs programmes.
#[async_trait]
pub trait ChannelEngine: Send + Sync {
    /// Runs a programme until `stop`, and then ends its outputs. A new value of `programme` MUST be applied without
    /// interrupting what it does not change. MUST NOT return for anything that a source or a destination does. MUST send
    /// nothing to an output while `lease` is not valid: another instance may run the programme.
    async fn run(
        &self,
        programme: watch::Receiver<Programme>,
        reports: ProgrammeReports,
        stop: CancellationToken,
        lease: LeaseCheck,
    );
}
