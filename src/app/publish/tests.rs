//! Tests of what a publisher with an unknown key costs.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::adapters::local_wake_ups::LocalWakeUps;
use crate::adapters::memory::MemoryStore;
use crate::adapters::system::{SystemClock, SystemIds};
use crate::app::key_cache::Load;
use crate::domain::AuditId;
use crate::domain::access::{Actor, Scope};
use crate::domain::audit::{AuditEntry, AuditFilter};
use crate::domain::broadcaster::{Broadcaster, DisplayName, Metadata};
use crate::domain::credentials::tests::credentials;
use crate::domain::media_server::SourceId;
use crate::domain::page::Page;
use crate::domain::playback::PlaybackAccess;
use crate::domain::publish::AuthResult;
use crate::domain::secret::{KeySecret, MasterKey};
use crate::domain::stream_key::CachedKey;
use crate::domain::stream_key::tests::key;
use crate::ports::{
    AuditStore as _, AuthFailureStore as _, BroadcasterStore as _, Change, StreamKeyStore as _,
};

/// Log lines at level info, counted.
#[derive(Clone, Default)]
struct Lines(Arc<AtomicUsize>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.fetch_add(bytes.iter().filter(|byte| **byte == b'\n').count(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A service whose database has a key that its key cache does not know: another instance made it a moment ago.
struct World {
    store: Arc<MemoryStore>,
    publish: PublishAuth,
    cache: Arc<KeyCache>,
    secret: KeySecret,
    cached: CachedKey,
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(SystemClock);
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let wake_ups: Arc<LocalWakeUps> = Arc::default();
        let master = MasterKey::new([1; 32]);
        let core = Core::over_one_store(store.clone(), clock, Arc::new(SystemIds), wake_ups.clone(), &master);
        let core = Arc::new(core);
        let (now, key, secret) = (core.now(), key(), KeySecret::from_random([7; 32]));
        let alice = Broadcaster {
            id: key.broadcaster_id,
            organization_id: key.organization_id,
            display_name: DisplayName::parse("Alice").unwrap(),
            metadata: Metadata::default(),
            created_at: now,
            updated_at: now,
        };
        let scope = Scope::system();
        let entry = AuditEntry::of(AuditId(core.id()), now, &Actor::cli("test"), "create", "stream_key");
        store.create_broadcaster(&alice, Change::new(&scope, &entry)).await.unwrap();
        let hash = core.hasher.key(&secret);
        store.create_stream_key(&key, &hash, Change::new(&scope, &entry)).await.unwrap();
        let cache: Arc<KeyCache> = Arc::default();
        cache.replace(Load::default());
        let servers: Arc<ConfiguredServers> = Arc::default();
        let grace = Arc::new(Grace::new(Duration::ZERO, Arc::clone(&cache)));
        let guard = Arc::new(PlaybackGuard::new(PlaybackAccess::Public, core.audience.clone()));
        let publish = PublishAuth::new(
            Arc::clone(&core),
            PublishSettings::default(),
            Arc::clone(&servers),
            Arc::new(MediaServers::new(Arc::clone(&core), servers)),
            Arc::new(PollRequests::new(wake_ups)),
            (Arc::clone(&cache), grace),
            (guard, Arc::new(AuthFailures::new(core))),
        );
        let cached = CachedKey { hash, id: key.id, path: key.path, expires_at: None };
        Self { store, publish, cache, secret, cached }
    }

    async fn decide(&self, secret: &KeySecret, ip: &str) -> AuthResult {
        self.decide_on("live/alice", secret, ip).await
    }

    async fn decide_on(&self, path: &str, secret: &KeySecret, ip: &str) -> AuthResult {
        let request = AuthRequest {
            action: Action::Publish,
            path: IngestPath::from_media_server(path),
            protocol: "rtmp",
            connection: SourceId::parse("c1"),
            ip: ip.parse().ok(),
            credentials: credentials("", secret.expose(), ""),
        };
        self.publish.decide(&MediaServerName::default(), &request).await.result
    }

    /// `count` different keys that do not exist.
    async fn guess(&self, count: u16, ip: impl Fn(u16) -> String) {
        for n in 0..count {
            let mut bytes = [9; 32];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            let result = self.decide(&KeySecret::from_random(bytes), &ip(n)).await;
            assert_eq!(result, Err(DenyReason::UnknownKey));
        }
    }
}

#[tokio::test]
async fn address_that_guesses_is_refused_without_the_database_until_the_key_cache_has_the_key() {
    let world = World::new().await;
    world.guess(60, |_| "192.0.2.66".into()).await;
    // Only the database has this key, so this shows that it is not asked.
    assert_eq!(world.decide(&world.secret, "192.0.2.66").await, Err(DenyReason::UnknownKey));
    assert_eq!(world.decide(&world.secret, "192.0.2.1").await, Ok(AllowReason::KeyClaimed));
    world.cache.add(std::slice::from_ref(&world.cached));
    world.guess(1_000, |_| "192.0.2.66".into()).await;
    assert_eq!(world.decide(&world.secret, "192.0.2.66").await, Ok(AllowReason::KeyClaimed));
}

#[tokio::test]
async fn path_that_many_addresses_guess_is_refused_without_the_database_until_the_key_cache_has_the_key() {
    let world = World::new().await;
    world.guess(120, |n| format!("198.51.100.{n}")).await;
    assert_eq!(world.decide(&world.secret, "192.0.2.1").await, Err(DenyReason::UnknownKey));
    world.cache.add(std::slice::from_ref(&world.cached));
    assert_eq!(world.decide(&world.secret, "192.0.2.1").await, Ok(AllowReason::KeyClaimed));
}

/// The memory of this process, in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

/// Tries `count` keys that do not exist: one address on one path and on many, many addresses on one path, and many IPv6
/// networks. The owner of a right key comes from the worst address, and is let in each time.
async fn flood(count: u32) -> [usize; 3] {
    let lines = Lines::default();
    let written = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || written.clone()).finish();
    let _counting = tracing::subscriber::set_default(subscriber);
    tracing::callsite::rebuild_interest_cache();
    let world = World::new().await;
    world.cache.add(std::slice::from_ref(&world.cached));
    let (before, started) = (memory(), Instant::now());
    let mut of_owner = Vec::new();
    for n in 0..count {
        let mut bytes = [9; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        let other = n / 4 % 20_000;
        let (path, ip) = match n % 4 {
            0 => ("live/alice".to_owned(), "192.0.2.66".to_owned()),
            1 => (format!("live/{n}"), "192.0.2.66".to_owned()),
            2 => ("live/alice".to_owned(), format!("10.0.{}.{}", other / 256, other % 256)),
            _ => (format!("live/{n}"), format!("2001:db8:{other:x}::1")),
        };
        let result = world.decide_on(&path, &KeySecret::from_random(bytes), &ip).await;
        assert_eq!(result, Err(DenyReason::UnknownKey));
        if n.is_multiple_of(100) {
            let asked = Instant::now();
            assert_eq!(world.decide(&world.secret, "192.0.2.66").await, Ok(AllowReason::KeyClaimed));
            of_owner.push(asked.elapsed());
        }
        if n.is_multiple_of(10_000) {
            world.publish.run().await.unwrap();
            world.publish.failures.run().await.unwrap();
        }
    }
    world.publish.run_at_stop().await.unwrap();
    world.publish.failures.run().await.unwrap();
    let filter = AuditFilter { limit: 100_000, ..AuditFilter::default() };
    let (entries, _) = world.store.audit_entries(&Scope::system(), &filter).await.unwrap();
    let failures = entries.iter().filter(|entry| entry.failure_reason.is_some()).count();
    let rows = world.store.auth_failures(&Scope::system(), &Page::default()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), u64::from(count), "none is forgotten");
    of_owner.sort_unstable();
    let figures = [lines.0.load(Ordering::Relaxed), failures, rows.len()];
    eprintln!(
        "{count} guesses in {:?}: {} KiB more memory; {figures:?} log lines, audit entries, rows of auth failures; right key: \
         p50 {:?}, p99 {:?}, longest {:?}",
        started.elapsed(),
        memory().saturating_sub(before),
        of_owner[of_owner.len() / 2],
        of_owner[of_owner.len() * 99 / 100],
        of_owner[of_owner.len() - 1],
    );
    figures
}

#[tokio::test]
async fn flood_of_guesses_leaves_few_traces_and_lets_the_owner_in() {
    let [lines, entries, rows] = flood(40_000).await;
    assert!(lines <= 2_000, "{lines} lines");
    assert!((1..=100).contains(&entries), "{entries} entries");
    assert!((1..=501).contains(&rows), "{rows} rows");
}

/// Prints the figures of `docs/threat-model.md`.
#[tokio::test]
#[ignore = "takes minutes"]
async fn a_million_guesses() {
    flood(1_000_000).await;
}
