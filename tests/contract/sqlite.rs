//! Rules that only SQLite has.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use streamward::domain::access::Scope;
use streamward::domain::page::Page;

use futures_util::future::{join, join_all};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use streamward::adapters::sql::{ServeLock, ServeLockError, migrate, open_sqlite};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use crate::fixture::{World, at, request};

async fn world() -> (World, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("streamward.db");
    let db = open_sqlite(&file).await.unwrap();
    migrate(&db).await.unwrap();
    (World::over(db, folder), file)
}

#[tokio::test]
async fn a_reader_held_open_does_not_block_a_writer() {
    let (world, file) = world().await;
    world.broadcaster("Alice").await;
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&file)).await.unwrap();
    let mut reading = pool.begin().await.unwrap();
    let count = "SELECT COUNT(*) FROM broadcasters";
    let before: i64 = sqlx::query_scalar(count).fetch_one(&mut *reading).await.unwrap();
    let started = Instant::now();
    for _ in 0..20 {
        world.broadcaster("Bob").await;
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let still: i64 = sqlx::query_scalar(count).fetch_one(&mut *reading).await.unwrap();
    assert_eq!((before, still), (1, 1), "the reader sees what it saw");
    assert_eq!(world.store.broadcasters(&Scope::system(), &Page::default()).await.unwrap().len(), 21);
}

/// The command line writes beside the serving process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_write_to_one_file_without_a_locked_error() {
    let (world, file) = world().await;
    let other = World::over(open_sqlite(&file).await.unwrap(), ());
    let write = |world: World| async move {
        for _ in 0..100 {
            world.broadcaster("x").await;
        }
        world
    };
    let worlds = join_all([write(world), write(other)]).await;
    assert_eq!(worlds[0].store.broadcasters(&Scope::system(), &Page::default()).await.unwrap().len(), 200);
    assert_eq!(worlds[1].events().await.len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_queue_for_the_one_connection() {
    let (world, _) = world().await;
    join_all((0..100).map(|_| world.broadcaster("x"))).await;
    assert_eq!(world.events().await.len(), 100);
}

/// `join` polls the writes first, so all of them wait for the writer before the claim does.
#[tokio::test]
async fn claim_and_renewal_of_the_lease_overtake_all_other_writes_that_wait() {
    let (world, _) = world().await;
    let (_, hash) = world.key("live/alice").await;
    let ahead = async |n: usize| match n {
        0 => drop(world.claim(&hash, &request("c1"), at(1)).await),
        _ => drop(world.store.renew_instance("us", 1, Duration::from_secs(60)).await.unwrap()),
    };
    for n in 0..2 {
        let written = AtomicUsize::new(0);
        let writes = (0..60).map(|_| async {
            world.broadcaster("x").await;
            written.fetch_add(1, Ordering::Relaxed);
        });
        let overtakes = async {
            ahead(n).await;
            written.load(Ordering::Relaxed)
        };
        let (_, before) = join(join_all(writes), overtakes).await;
        assert!(before <= 2, "{before} of 60 writes went first");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_of_claims_does_not_keep_others_from_writing() {
    let (world, _) = world().await;
    let (_, hash) = world.key("live/alice").await;
    let done = AtomicBool::new(false);
    let claims = (0..8).map(|_| async {
        while !done.load(Ordering::Relaxed) {
            world.claim(&hash, &request("c1"), at(1)).await;
        }
    });
    let writes = async {
        for _ in 0..20 {
            world.broadcaster("x").await;
        }
        done.store(true, Ordering::Relaxed);
    };
    join(join_all(claims), writes).await;
    assert_eq!(world.events().await.len(), 22);
}

/// There is one writing connection: a cancelled writer must leave it usable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_writer_leaves_the_connection_in_order() {
    let (world, _) = world().await;
    let (_, hash) = world.key("live/alice").await;
    for micros in (0..3_000).step_by(50) {
        let _ = timeout(Duration::from_micros(micros), world.broadcaster("cancelled")).await;
        let _ = timeout(Duration::from_micros(micros / 4), world.claim(&hash, &request("c1"), at(1))).await;
    }
    world.broadcaster("next").await;
    assert_eq!(
        world.events().await.len() - 1,
        world.store.broadcasters(&Scope::system(), &Page::default()).await.unwrap().len(),
        "and one for the key"
    );
}

#[test]
fn a_second_serving_process_is_refused_and_told_who_serves() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("streamward.db");
    let first = ServeLock::take(&file).unwrap();
    let error = ServeLock::take(&file).unwrap_err();
    assert!(matches!(error, ServeLockError::Served { process: Some(id), .. } if id == std::process::id()));
    let text = error.to_string();
    assert!(text.contains("already served by another Streamward (process "), "{text}");
    assert!(text.contains("DATABASE_URL"), "{text}");
    drop(first);
    ServeLock::take(&file).expect("it is free again");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (world, file) = world().await;
    world.broadcaster("Alice").await;
    for ending in ["", "-wal", "-shm"] {
        let name = format!("{}{ending}", file.display());
        let mode = std::fs::metadata(&name).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
    }
}

#[tokio::test]
async fn an_error_names_the_file_that_cannot_be_opened() {
    let error = open_sqlite(std::path::Path::new("/nowhere/at/all.db")).await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/at/all.db cannot be opened"), "{error}");
}
