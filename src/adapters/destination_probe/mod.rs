//! Tests whether a destination can be reached: over RTMP with the client that pushes to it, over SRT with the first half of
//! its handshake.

mod srt;

use async_trait::async_trait;
use tokio::time::{Duration, timeout};

use crate::adapters::rtmp::{Address, Connector, Step, StepTime, check};
use crate::domain::channel::{PushUrl, SrtAddress};
use crate::ports::{DestinationProbe, PlatformProbe, ProbeStep, ProbedStep};

/// How long a test may take.
const LIMIT: Duration = Duration::from_secs(15);

/// Reaches destinations.
pub struct Probe(Connector);

impl Probe {
    /// Reaches those over RTMP with `connector`.
    pub fn new(connector: Connector) -> Self {
        Self(connector)
    }
}

#[async_trait]
impl DestinationProbe for Probe {
    async fn probe(&self, url: &PushUrl) -> Vec<ProbedStep> {
        if SrtAddress::is_meant(url.as_str()) {
            return match SrtAddress::parse(url.as_str()) {
                Ok(address) => srt::check(&address).await,
                Err(_) => Vec::new(),
            };
        }
        // Such an address is refused when the destination is stored.
        let Ok(address) = Address::parse(url.as_str()) else { return Vec::new() };
        match timeout(LIMIT, check(&self.0, &address)).await {
            Ok(steps) => steps.into_iter().filter_map(probed).collect(),
            Err(_) => {
                let error = Some(format!("the test took longer than {} seconds", LIMIT.as_secs()));
                vec![ProbedStep { step: ProbeStep::Connect, took: LIMIT, error }]
            }
        }
    }
}

/// Reaches the platform of a studio over RTMP.
pub struct PlatformReach {
    connector: Connector,
    address: Address,
}

impl PlatformReach {
    /// Reaches the platform at `address` with `connector`.
    pub fn new(connector: Connector, address: Address) -> Self {
        Self { connector, address }
    }
}

#[async_trait]
impl PlatformProbe for PlatformReach {
    async fn reach(&self) -> Result<Duration, String> {
        let late = |_| format!("the test took longer than {} seconds", LIMIT.as_secs());
        let steps = timeout(LIMIT, check(&self.connector, &self.address)).await.map_err(late)?;
        match steps.iter().find_map(|step| step.error.clone()) {
            Some(error) => Err(error),
            None => Ok(steps.iter().map(|step| step.took).sum()),
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
