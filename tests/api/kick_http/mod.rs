//! Kick's official API against a stand-in: requests, token, pace, webhooks, subscriptions.

mod answers;
mod limits;
mod site;
mod subscriptions;
mod token;
mod webhooks;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use streamward::adapters::kick::{KickHttp, KickSettings, Timing};
use streamward::domain::secret::Secret;
use streamward::domain::streamer::{Slug, UserId};
use streamward::ports::{KickApi as _, KickChannel, RemoteError};
use streamward_test_support::kick::{Broadcast, KickStub};

use crate::harness::TestClock;

const BEGAN: &str = "2026-01-31T12:00:00Z";

/// Settings for the stand-in, without a pace and with short waits.
fn settings(kick: &KickStub) -> KickSettings {
    let url = kick.url().parse().expect("an address");
    let many = NonZeroU32::new(60_000).expect("not zero");
    KickSettings {
        api_url: url,
        auth_url: kick.url().parse().expect("an address"),
        site_url: kick.url().parse().expect("an address"),
        client_id: "stub-client".to_owned(),
        client_secret: Secret::new("stub-client-secret"),
        requests_per_minute: many,
        burst: many,
        allow_site: true,
        timing: Timing { site_interval: Duration::from_millis(10), ..Timing::default() },
    }
}

fn with(settings: &KickSettings) -> Arc<KickHttp> {
    Arc::new(KickHttp::new(settings, Arc::new(TestClock::default())).expect("a client"))
}

fn client(kick: &KickStub) -> Arc<KickHttp> {
    with(&settings(kick))
}

/// Resolves one name.
async fn named(http: &KickHttp, name: &str) -> Result<Option<KickChannel>, RemoteError> {
    Ok(http.channels_named(&[slug(name)]).await?.pop())
}

fn slug(name: &str) -> Slug {
    Slug::parse(name).expect("a name")
}

fn user(number: u64) -> UserId {
    UserId::new(number).expect("a number")
}

fn users(numbers: impl IntoIterator<Item = u64>) -> Vec<UserId> {
    numbers.into_iter().map(user).collect()
}

/// A stand-in that knows the users 1 to `count`, named `user1` and so on, all of them live.
async fn all_live(count: u64) -> KickStub {
    let kick = KickStub::start().await;
    kick.set(|world| {
        for user in 1..=count {
            world.add(user, &format!("user{user}"));
            world.go_live(user, Broadcast::new(user * 10, BEGAN));
        }
    });
    kick
}
