//! Rules that only PostgreSQL has: it can stop, restart, hang and end our sessions.

use std::time::Duration;
use streamward::domain::access::Scope;

use futures_util::future::join_all;
use sqlx::{Connection as _, PgConnection};
use streamward::adapters::sql::{Db, PgSettings, migrate, open_postgres, pending_migrations};
use streamward::domain::page::Page;
use streamward::ports::StoreError;
use streamward_test_support::Cluster;
use tokio::time::{Instant, timeout};

use crate::fixture::{World, at, audit, broadcaster, by, own_cluster, postgres, request};

/// A server for one test, which may stop it.
async fn own_server() -> (Cluster, Db) {
    let cluster = own_cluster();
    let db = open_postgres(&cluster.url("postgres"), &PgSettings::new(6)).unwrap();
    migrate(&db).await.unwrap();
    (cluster, db)
}

/// Opens all connections of the pool and leaves them idle.
async fn warm_up(world: &World) {
    join_all((0..20).map(|_| world.broadcaster("x"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_of_the_database_the_first_call_succeeds() {
    let (mut cluster, db) = own_server().await;
    let world = World::over(db, ());
    let (_, hash) = world.key("live/alice").await;
    for round in 1..=3 {
        warm_up(&world).await;
        cluster.stop();
        cluster.run().unwrap();
        match round {
            1 => drop(world.store.broadcasters(&Scope::system(), &Page::default()).await.unwrap()),
            2 => drop(world.claim(&hash, &request("c1"), at(round)).await),
            _ => drop(world.broadcaster("Bob").await),
        }
        world.store.ping().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_down_calls_fail_soon_as_unavailable() {
    let (mut cluster, db) = own_server().await;
    let world = World::over(db.clone(), ());
    let (_, hash) = world.key("live/alice").await;
    warm_up(&world).await;
    cluster.stop();
    let limit = Duration::from_secs(3);
    for _ in 0..3 {
        let (store, scope, started) = (&world.store, Scope::system(), Instant::now());
        let (publish, bob, entry) = (request("c1"), broadcaster("Bob", at(1)), audit("create", at(1)));
        let whole = Page::default();
        let (read, claim, write) = tokio::join!(
            store.broadcasters(&scope, &whole),
            store.claim_for_publish(&hash, &publish, at(1), limit),
            store.create_broadcaster(&bob, by(&entry)),
        );
        for error in [read.unwrap_err(), claim.unwrap_err(), write.unwrap_err()] {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        }
        assert!(started.elapsed() < limit, "{:?}", started.elapsed());
    }
    let error = pending_migrations(&db).await.unwrap_err().to_string();
    assert!(error.contains("refused"), "doctor learns why: {error}");
    cluster.run().unwrap();
    world.broadcaster("Bob").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hung_leaves_no_broken_connections() {
    let (cluster, db) = own_server().await;
    let world = World::over(db.clone(), ());
    let (_, hash) = world.key("live/alice").await;
    warm_up(&world).await;
    cluster.freeze();
    // Many more calls than connections, all cancelled halfway by a deadline.
    for _ in 0..3 {
        let request = request("c1");
        let claim = || timeout(Duration::from_millis(300), world.claim(&hash, &request, at(1)));
        let claims = (0..10).map(|_| claim());
        assert!(join_all(claims).await.iter().all(Result::is_err));
    }
    let started = Instant::now();
    let error = world.store.broadcasters(&Scope::system(), &Page::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    cluster.resume();
    let started = Instant::now();
    world.claim(&hash, &request("c1"), at(2)).await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    warm_up(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_of_a_locked_key_waits_and_keeps_no_other_waiting() {
    let database = postgres().await;
    let db = open_postgres(database.url(), &PgSettings::new(8)).unwrap();
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    let world = &World::over(db, database);
    let keys = join_all((0..40).map(|n| async move { world.key(&format!("live/{n}")).await })).await;
    let mut tx = other.begin().await.unwrap();
    let lock = sqlx::query("SELECT id FROM stream_keys WHERE id = $1 FOR UPDATE");
    lock.bind(keys[20].0.id.0).execute(&mut *tx).await.unwrap();
    let asks = request("c1");
    let mut claims: Vec<_> = keys.iter().map(|(_, hash)| Box::pin(world.claim(hash, &asks, at(1)))).collect();
    let mut locked = claims.remove(20);
    let (first, others) = tokio::join!(
        timeout(Duration::from_millis(800), locked.as_mut()),
        timeout(Duration::from_millis(800), join_all(claims)),
    );
    assert!(first.is_err(), "it waits for the lock");
    assert_eq!(others.expect("the others do not wait").len(), 39);
    tx.commit().await.unwrap();
    let claimed = timeout(Duration::from_secs(5), locked).await.expect("the lock is gone");
    assert!(claimed.holder.connection().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_that_claims_keep_is_there_for_others() {
    for connections in [1, 2] {
        let database = postgres().await;
        let settings = PgSettings { acquire_timeout: Duration::from_secs(5), ..PgSettings::new(connections) };
        let db = open_postgres(database.url(), &settings).unwrap();
        let world = &World::over(db.clone(), database);
        let (_, hash) = world.key("live/alice").await;
        for round in 0..20 {
            world.claim(&hash, &request("c1"), at(round)).await;
            let started = Instant::now();
            join_all((0..4).map(|_| world.broadcaster("x"))).await;
            assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        }
        world.claim(&hash, &request("c1"), at(20)).await;
        assert_eq!(db.connections().1, connections);
        timeout(Duration::from_secs(5), db.close()).await.expect("it does not wait for what claims keep");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_claim_the_same_keys_at_once_do_not_stop_each_other() {
    let database = postgres().await;
    let open = || open_postgres(database.url(), &PgSettings::new(6)).unwrap();
    let worlds = [World::over(open(), ()), World::over(open(), ()), World::over(open(), ())];
    let keys = join_all((0..50).map(|n| {
        let world = &worlds[0];
        async move { world.key(&format!("live/{n}")).await }
    }))
    .await;
    for round in 0..20 {
        // Each instance asks in another order.
        let claims = worlds.iter().enumerate().flat_map(|(instance, world)| {
            let keys = &keys;
            (0..keys.len()).map(move |n| async move {
                let n = if instance == 0 { n } else { (keys.len() - n + instance) % keys.len() };
                let asks = request(&format!("c{instance}-{round}"));
                let after = world.claim(&keys[n].1, &asks, at(i64::from(round) * 20)).await;
                (n, after.holder.connection() == asks.connection.as_ref())
            })
        });
        let claimed = timeout(Duration::from_secs(20), join_all(claims)).await.expect("nobody is stuck");
        for key in 0..keys.len() {
            let winners = claimed.iter().filter(|(n, won)| *n == key && *won).count();
            assert_eq!(winners, 1, "key {key} in round {round}");
        }
    }
}

/// A writer that is cancelled after it took its event numbers must not block the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_writer_leaves_no_lock_behind() {
    let database = postgres().await;
    let db = open_postgres(database.url(), &PgSettings::new(8)).unwrap();
    let world = World::over(db, database);
    world.broadcaster("warm").await;
    for micros in (0..4_000).step_by(100) {
        let _ = timeout(Duration::from_micros(micros), world.broadcaster("cancelled")).await;
    }
    let started = Instant::now();
    join_all((0..8).map(|_| world.broadcaster("x"))).await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    world.events().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_sessions_are_replaced() {
    let database = postgres().await;
    let db = open_postgres(database.url(), &PgSettings::new(4)).unwrap();
    let mut admin = PgConnection::connect(database.url()).await.unwrap();
    let world = World::over(db, database);
    for _ in 0..5 {
        warm_up(&world).await;
        let everyone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                        WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::query(everyone).execute(&mut admin).await.unwrap();
        world.broadcaster("next").await;
    }
}

#[tokio::test]
async fn errors_do_not_contain_the_password() {
    let secret = "hunter2secret";
    let database = postgres().await;
    let port = database.url().rsplit(':').next().unwrap().split('/').next().unwrap();
    let mut texts = Vec::new();
    for url in [
        format!("postgres://nobody:{secret}@127.0.0.1:{port}/streamward_nowhere"),
        format!("postgres://nobody:{secret}@127.0.0.1:1/x"),
        format!("postgres://nobody:{secret}@nowhere.invalid/x"),
        format!("postgres://nobody:{secret}@127.0.0.1:{port}/x?sslmode=verify-full"),
        format!("postgres://nobody:{secret}@127.0.0.1:99999/x"),
        format!("nonsense://nobody:{secret}@127.0.0.1/x?y=z"),
        secret.to_owned(),
    ] {
        match open_postgres(&url, &PgSettings::new(1)) {
            Err(error) => texts.push(format!("{error} {error:?}")),
            Ok(db) => {
                texts.push(format!("{db:?}"));
                for error in [migrate(&db).await.unwrap_err(), pending_migrations(&db).await.unwrap_err()] {
                    texts.push(format!("{error} {error:?}"));
                }
            }
        }
    }
    assert!(texts.iter().all(|text| !text.contains(secret)), "{texts:#?}");
}

/// A transaction frozen for longer than its lease writes nothing under the old epoch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assignment_stays_with_its_holder_until_its_transaction_ends() {
    let database = postgres().await;
    let db = open_postgres(database.url(), &PgSettings::new(4)).unwrap();
    let mut paused = PgConnection::connect(database.url()).await.unwrap();
    let world = World::over(db, database);
    let ttl = Duration::from_millis(200);
    let lease = world.store.renew_instance("old", 10, ttl).await.unwrap();
    let old = world.take_under(&lease, &["work"]).await.remove(0);
    // Like `guard` in a transaction, which then pauses for longer than the lease.
    let mut tx = paused.begin().await.unwrap();
    let guard =
        "SELECT epoch FROM assignments WHERE key = 'work' AND EXISTS (SELECT 1 FROM instances) FOR SHARE";
    sqlx::query(guard).execute(&mut *tx).await.unwrap();
    let renewed = timeout(ttl, world.store.renew_instance("old", 10, ttl)).await;
    renewed.expect("no renewal waits for a transaction").unwrap();
    tokio::time::sleep(ttl * 2).await;
    let taken = timeout(ttl, world.take("new", &["work", "other work"])).await.expect("it does not wait");
    assert_eq!(taken.len(), 1, "only what no transaction relies on");
    tx.commit().await.unwrap();
    let taken = world.take("new", &["work", "other work"]).await;
    let new = taken.iter().find(|one| one.key == "work").unwrap();
    assert!(new.epoch > old.epoch);
}
