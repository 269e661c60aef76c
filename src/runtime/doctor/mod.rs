//! `streamward doctor`: checks everything that a working setup needs, and advises how to repair each fault.
//!
//! It checks from outside, as media servers and API clients do, without changes. Each check adds one [`Finding`], also
//! when it is not possible because an earlier one failed.

mod channels;
mod finding;
mod media;
mod service;
mod srs;
mod store;
mod studios;
#[cfg(test)]
mod tests;
mod users;

use std::time::Duration;

use async_trait::async_trait;

use super::config::{Loaded, Shown};
use crate::domain::finding::{Finding, Severity};
use crate::ports::{EffectiveConfiguration, Examiner};
use finding::{Findings, Setup};

pub(super) use media::same_place;

/// Checks the setup. Ends within about a minute in any case.
pub async fn examine(loaded: &Loaded) -> Vec<Finding> {
    let mut findings = Findings::default();
    add_findings(loaded, &mut findings).await;
    findings.0
}

/// The checks within the running service.
pub struct OwnExaminer(pub Loaded);

/// How long they may take: a request that takes ten seconds is cancelled.
const OWN_LIMIT: Duration = Duration::from_secs(8);

#[async_trait]
impl Examiner for OwnExaminer {
    async fn examine(&self) -> Vec<Finding> {
        let mut findings = Findings::default();
        let checks = Box::pin(add_findings(&self.0, &mut findings));
        if tokio::time::timeout(OWN_LIMIT, checks).await.is_err() {
            let found = format!("the checks that are missing here were not made within {OWN_LIMIT:?}");
            findings.skipped("remaining checks", found, "run `streamward doctor`, which waits longer");
        }
        findings.0
    }

    fn configuration(&self) -> EffectiveConfiguration {
        EffectiveConfiguration {
            file: self.0.file.as_ref().map(|file| file.display().to_string()),
            values: Shown(&self.0).to_json(),
            sources: self.0.origins.clone(),
        }
    }
}

async fn add_findings(loaded: &Loaded, findings: &mut Findings) {
    let config = &loaded.config;
    let records = store::examine(config, &loaded.env, findings).await;
    let client = || reqwest::Client::builder().timeout(Duration::from_secs(5)).http1_only().no_proxy();
    // Without root certificates, plain HTTP can still be checked.
    let http = client().build().or_else(|_| client().tls_certs_only([]).build());
    let Ok(http) = http else {
        findings.failure("network", "no HTTP client can be built", "check the certificates of the system");
        return;
    };
    let hook_secret = records.as_ref().and_then(|records| records.hook_secret.clone());
    let setup = Setup { config, http, hook_secret };
    let running = service::examine(&setup, findings).await;
    for (name, server) in &config.media_servers {
        media::examine(&setup, records.as_ref(), running, name, server, findings).await;
    }
    channels::examine(config, records.as_ref(), running, findings).await;
    studios::examine(config, records.as_ref(), findings).await;
    users::examine(config, findings).await;
}
