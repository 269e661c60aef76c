//! Tests whether a destination can be reached.

use async_trait::async_trait;
use tokio::time::{Duration, timeout};

use super::address::Address;
use super::connect::{Connector, StepTime, check};
use super::error::Step;
use crate::domain::channel::PushUrl;
use crate::ports::{DestinationProbe, ProbeStep, ProbedStep};

/// How long a test may take.
const LIMIT: Duration = Duration::from_secs(15);

#[async_trait]
impl DestinationProbe for Connector {
    async fn probe(&self, url: &PushUrl) -> Vec<ProbedStep> {
        // Such an address is refused when the destination is stored.
        let Ok(address) = Address::parse(url.as_str()) else { return Vec::new() };
        match timeout(LIMIT, check(self, &address)).await {
            Ok(steps) => steps.into_iter().filter_map(probed).collect(),
            Err(_) => {
                let error = Some(format!("the test took longer than {} seconds", LIMIT.as_secs()));
                vec![ProbedStep { step: ProbeStep::Connect, took: LIMIT, error }]
            }
        }
    }
}

fn probed(StepTime { step, took, error }: StepTime) -> Option<ProbedStep> {
    let step = match step {
        Step::Name => ProbeStep::Name,
        Step::Tcp => ProbeStep::Tcp,
        Step::Tls => ProbeStep::Tls,
        Step::Handshake => ProbeStep::Handshake,
        Step::Connect => ProbeStep::Connect,
        Step::Stream | Step::Media => return None,
    };
    Some(ProbedStep { step, took, error })
}
