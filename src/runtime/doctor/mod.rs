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

use super::config::Loaded;
use finding::{Findings, Setup};

pub use finding::{Finding, Severity};
pub(super) use media::same_place;

/// Checks the setup. Ends within about a minute in any case.
pub async fn examine(loaded: &Loaded) -> Vec<Finding> {
    let mut findings = Findings::default();
    let config = &loaded.config;
    let records = store::examine(config, &loaded.env, &mut findings).await;
    let client = || reqwest::Client::builder().timeout(Duration::from_secs(5)).http1_only().no_proxy();
    // Without root certificates, plain HTTP can still be checked.
    let http = client().build().or_else(|_| client().tls_certs_only([]).build());
    let Ok(http) = http else {
        findings.failure("network", "no HTTP client can be built", "check the certificates of the system");
        return findings.0;
    };
    let hook_secret = records.as_ref().and_then(|records| records.hook_secret.clone());
    let setup = Setup { config, http, hook_secret };
    let running = service::examine(&setup, &mut findings).await;
    for (name, server) in &config.media_servers {
        media::examine(&setup, records.as_ref(), running, name, server, &mut findings).await;
    }
    channels::examine(config, records.as_ref(), running, &mut findings).await;
    studios::examine(config, records.as_ref(), &mut findings).await;
    users::examine(config, &mut findings).await;
    findings.0
}
