//! Webhook subscriptions match the watched users; other subscriptions stay untouched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use streamward::adapters::kick::{KickSettings, SubscriptionSettings, WebhookSubscriptions};
use streamward::domain::secret::Secret;
use streamward::domain::streamer::feed::{FeedState, FeedStatus};
use streamward::domain::streamer::{Source, UserId};
use streamward::ports::{FeedSignal, StatusFeed as _, Subject, Wanted};
use streamward_test_support::kick::{Fault, KickStub, Subscribed};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{settings, users, with};

const EVENT: &str = "livestream.status.updated";

/// Running subscriptions, and their signals so far.
struct Keeping {
    wanted: watch::Sender<Arc<Wanted>>,
    signals: mpsc::Receiver<FeedSignal>,
    subscribed: Vec<UserId>,
    status: FeedStatus,
    _task: JoinSet<()>,
}

fn want(numbers: impl IntoIterator<Item = u64>) -> Arc<Wanted> {
    Arc::new(Wanted { users: users(numbers).into_iter().collect(), ..Wanted::default() })
}

fn quick() -> SubscriptionSettings {
    SubscriptionSettings {
        list: Duration::from_secs(600),
        retry: Duration::from_millis(100),
        refused_retry: Duration::from_millis(500),
        delete_after: Duration::from_millis(100),
    }
}

impl Keeping {
    fn start(
        kick: &KickSettings,
        settings: SubscriptionSettings,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Self {
        let (wanted, changes) = watch::channel(want(numbers));
        let (out, signals) = mpsc::channel(1);
        let feed = WebhookSubscriptions::new(with(kick), settings);
        let mut task = JoinSet::new();
        task.spawn(async move { feed.watch(changes, out).await });
        Self { wanted, signals, subscribed: Vec::new(), status: FeedStatus::default(), _task: task }
    }

    /// Reads signals until `is` holds for the status.
    async fn until(&mut self, is: impl Fn(&FeedStatus) -> bool) -> &FeedStatus {
        let listened = timeout(Duration::from_secs(10), async {
            loop {
                match self.signals.recv().await.expect("it never ends") {
                    FeedSignal::Status(status) => self.status = status,
                    FeedSignal::Subscribed(subjects) => {
                        self.subscribed.extend(subjects.into_iter().map(who));
                    }
                    FeedSignal::Update(update) => panic!("{update:?}"),
                }
                if is(&self.status) {
                    return;
                }
            }
        });
        assert!(listened.await.is_ok(), "it stays at {:?}", self.status);
        &self.status
    }

    async fn until_connected(&mut self, subscribed: u32) {
        self.until(|s| s.state == FeedState::Connected && s.subscribed == subscribed).await;
    }
}

fn who(subject: Subject) -> UserId {
    let Subject::User(user) = subject else { panic!("{subject:?}") };
    user
}

/// The users to whose status the app is subscribed at Kick.
fn at_kick(kick: &KickStub) -> Vec<u64> {
    let mut users: Vec<u64> =
        kick.set(|world| world.subscriptions.iter().filter(|s| s.event == EVENT).map(|s| s.user).collect());
    users.sort_unstable();
    users
}

fn exists(kick: &KickStub, id: &str, user: u64, event: &str) {
    let one = Subscribed { id: id.to_owned(), user, event: event.to_owned() };
    kick.set(|world| world.subscriptions.push(one));
}

/// Waits until `is` holds for the subscriptions at Kick.
async fn until_at_kick(kick: &KickStub, is: impl Fn(&[u64]) -> bool) {
    let arrived = timeout(Duration::from_secs(10), async {
        while !is(&at_kick(kick)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(arrived.await.is_ok(), "it stays at {:?}", at_kick(kick));
}

#[tokio::test]
async fn missing_subscriptions_are_created_and_reported_once() {
    let kick = KickStub::start().await;
    exists(&kick, "old", 3, EVENT);
    exists(&kick, "chat", 1, "chat.message.sent");
    let mut keeping = Keeping::start(&settings(&kick), quick(), 1..=25);
    keeping.until_connected(25).await;
    assert_eq!(at_kick(&kick), (1..=25).collect::<Vec<_>>());
    assert_eq!(keeping.subscribed.len(), 25, "each user once, existing subscriptions included");
    assert_eq!(keeping.subscribed.iter().collect::<BTreeSet<_>>().len(), 25);
    assert_eq!(keeping.status.provider, Some(Source::Webhook));
    assert_eq!((keeping.status.wanted, keeping.status.error.as_deref()), (25, None));

    keeping.wanted.send_replace(want(1..=26));
    keeping.until_connected(26).await;
    assert_eq!(keeping.subscribed.len(), 26);
    assert_eq!(kick.count("subscriptions"), 1 + 24 + 1, "one listing, and only what was missing");
}

#[tokio::test]
async fn only_unwanted_subscriptions_are_deleted_later_in_batches() {
    let kick = KickStub::start().await;
    for user in 1..=120 {
        exists(&kick, &format!("s{user}"), user, EVENT);
    }
    exists(&kick, "twice", 120, EVENT);
    exists(&kick, "chat", 7, "chat.message.sent");
    let mut keeping = Keeping::start(&settings(&kick), quick(), 116..=120);
    keeping.until_connected(5).await;
    until_at_kick(&kick, |users| users == [116, 117, 118, 119, 120]).await;
    let left = kick.set(|world| world.subscriptions.iter().map(|s| s.id.clone()).collect::<Vec<_>>());
    assert!(left.contains(&"chat".to_owned()), "{left:?}");
    for request in kick.requests().iter().filter(|request| request.line.starts_with("DELETE")) {
        assert!(request.line.matches("id=").count() <= 50, "{}", request.line);
    }
}

#[tokio::test]
async fn a_user_unwanted_for_a_moment_keeps_the_subscription() {
    let kick = KickStub::start().await;
    exists(&kick, "s1", 1, EVENT);
    let patient = SubscriptionSettings { delete_after: Duration::from_millis(600), ..quick() };
    // No users yet, as before the database has been read.
    let mut keeping = Keeping::start(&settings(&kick), patient, []);
    keeping.until_connected(0).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    keeping.wanted.send_replace(want([1]));
    keeping.until_connected(1).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(kick.set(|world| world.subscriptions[0].id.clone()), "s1");
    assert_eq!(keeping.subscribed, users([1]));
}

#[tokio::test]
async fn a_full_app_is_degraded_and_free_places_are_used() {
    let kick = KickStub::start().await;
    kick.set(|world| world.subscription_limit = 3);
    let mut keeping = Keeping::start(&settings(&kick), quick(), 1..=5);
    let status = keeping.until(|status| status.error.is_some()).await;
    assert_eq!((status.state, status.subscribed, status.wanted), (FeedState::Degraded, 3, 5));
    assert!(status.error.as_deref().is_some_and(|text| text.contains("2 streamers")), "{status:?}");
    let requests = kick.count("subscriptions");
    assert_eq!(requests, 1 + 3 + 1, "it does not try for everybody");
    // Two users leave, so there is room for two others.
    keeping.wanted.send_replace(want([1, 4, 5]));
    keeping.until_connected(3).await;
    assert_eq!(at_kick(&kick), [1, 4, 5]);
}

#[tokio::test]
async fn a_refused_subscription_does_not_block_the_others() {
    let kick = KickStub::start().await;
    kick.set(|world| world.unsubscribable.insert(2));
    let mut keeping = Keeping::start(&settings(&kick), quick(), 1..=3);
    let status = keeping.until(|status| status.subscribed == 2 && status.error.is_some()).await;
    assert_eq!(status.state, FeedState::Degraded);
    assert!(status.error.as_deref().is_some_and(|text| text.contains("broadcaster not found")), "{status:?}");
    assert_eq!(at_kick(&kick), [1, 3]);
}

#[tokio::test]
async fn a_removed_subscription_is_created_and_reported_again() {
    let kick = KickStub::start().await;
    let often = SubscriptionSettings { list: Duration::from_millis(200), ..quick() };
    let mut keeping = Keeping::start(&settings(&kick), often, 1..=2);
    keeping.until_connected(2).await;
    keeping.subscribed.clear();
    kick.set(|world| world.subscriptions.retain(|one| one.user != 1));
    until_at_kick(&kick, |users| users == [1, 2]).await;
    timeout(Duration::from_secs(5), async {
        while keeping.subscribed.is_empty() {
            if let Some(FeedSignal::Subscribed(subjects)) = keeping.signals.recv().await {
                assert_eq!(subjects, [Subject::User(users([1])[0])]);
                return;
            }
        }
    })
    .await
    .expect("it is reported again");
}

#[tokio::test]
async fn failures_are_shown_and_retried() {
    let kick = KickStub::start().await;
    kick.set(|world| world.next("subscriptions", Fault::Error(500, "oops".to_owned())));
    let mut keeping = Keeping::start(&settings(&kick), quick(), 1..=3);
    let status = keeping.until(|status| status.error.is_some()).await;
    assert_eq!(
        (status.state, status.error.as_deref()),
        (FeedState::Connecting, Some("Kick answered 500: oops"))
    );
    keeping.until_connected(3).await;
    assert_eq!(keeping.status.error, None);
}

#[tokio::test]
async fn with_a_wrong_secret_it_is_rejected_and_retries_slowly() {
    let kick = KickStub::start().await;
    let wrong = KickSettings { client_secret: Secret::new("hunter2"), ..settings(&kick) };
    let mut keeping = Keeping::start(&wrong, quick(), 1..=3);
    let status = keeping.until(|status| status.state == FeedState::Rejected).await;
    assert_eq!(status.error.as_deref(), Some("Kick refused our credentials"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((kick.count("token"), kick.count("subscriptions")), (1, 0));
}
