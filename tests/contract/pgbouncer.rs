//! Behind a real PgBouncer in transaction mode, which gives each transaction another session of PostgreSQL.

use std::time::Duration;

use futures_util::future::join_all;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use streamward::adapters::sql::{
    Db, Pg, PgSettings, PgWakeUps, database_time, migrate, open_postgres, pending_migrations,
};
use streamward::domain::access::Scope;
use streamward::domain::page::Page;
use streamward::ports::{WakeUp, WakeUps as _};
use streamward_test_support::{Cluster, PgBouncer};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fixture::{World, at, own_cluster, request};

/// PostgreSQL with a pooler of three sessions in front.
fn servers() -> (PgBouncer, Cluster) {
    let cluster = own_cluster();
    let pooler = PgBouncer::start(&cluster, 3);
    (pooler.unwrap_or_else(|error| panic!("this needs PgBouncer, run .ci/setup: {error}")), cluster)
}

fn open(pooler: &PgBouncer) -> Db {
    let settings =
        PgSettings { pooled: true, acquire_timeout: Duration::from_secs(10), ..PgSettings::new(12) };
    open_postgres(&pooler.url("postgres"), &settings).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_calls_share_few_sessions_and_each_gets_its_own_answer() {
    let (pooler, cluster) = servers();
    let db = open(&pooler);
    migrate(&db).await.unwrap();
    let world = &World::over(db, ());
    let keys = join_all((0..8).map(|n| async move { world.key(&format!("live/{n}")).await })).await;
    let claims = keys.iter().map(|(key, hash)| async move {
        for round in 0..25 {
            let claimed = world.claim(hash, &request(&key.id.to_string()), at(round)).await;
            assert_eq!((claimed.id, claimed.holder.connection().is_some()), (key.id, true));
        }
    });
    let others = async {
        for _ in 0..25 {
            world.broadcaster("Bob").await;
            world.take("us", &["work"]).await;
            world.store.broadcasters(&Scope::system(), &Page::default()).await.unwrap();
            world.audited().await;
        }
    };
    tokio::join!(join_all(claims), others);
    assert_eq!(world.events().await.len(), 8 * 2 + 25);
    let mut direct = PgConnection::connect(&cluster.url("postgres")).await.unwrap();
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND pid <> pg_backend_pid() \
                    AND backend_type = 'client backend'";
    let sessions: i64 = direct.fetch_one(sessions).await.unwrap().try_get(0).unwrap();
    assert!(sessions <= 3, "{sessions} sessions");
}

#[tokio::test]
async fn nothing_is_left_in_the_sessions_that_others_use_next() {
    let (pooler, _cluster) = servers();
    // All of them use the same names for their prepared statements, if they use any.
    for _ in 0..3 {
        let db = open(&pooler);
        join_all((0..3).map(|_| migrate(&db))).await.into_iter().for_each(Result::unwrap);
        assert!(pending_migrations(&db).await.unwrap().is_current());
        let world = World::over(db.clone(), ());
        join_all((0..6).map(|_| world.broadcaster("x"))).await;
        database_time(&db).await.unwrap();
    }
    let strict = PgConnection::connect(&pooler.url("postgres")).await.unwrap_err().to_string();
    assert!(strict.contains("unsupported startup parameter"), "{strict}");
    let options = pooler.url("postgres").parse::<sqlx::postgres::PgConnectOptions>().unwrap();
    let mut other = PgConnection::connect_with(&options.extra_float_digits(None)).await.unwrap();
    for (statement, expected) in [
        ("SELECT count(*) FROM pg_prepared_statements", "0"),
        ("SHOW statement_timeout", "0"),
        ("SHOW idle_in_transaction_session_timeout", "0"),
    ] {
        for _ in 0..6 {
            let row = other.fetch_one(statement).await.unwrap();
            let found = row.try_get::<i64, _>(0).map_or_else(|_| row.get::<String, _>(0), |n| n.to_string());
            assert_eq!(found, expected, "{statement}");
        }
    }
}

#[tokio::test]
async fn pooler_that_was_not_announced_is_refused_in_plain_words() {
    let (pooler, cluster) = servers();
    let unannounced = open_postgres(&pooler.url("postgres"), &PgSettings::new(4)).unwrap();
    for error in
        [migrate(&unannounced).await.unwrap_err(), pending_migrations(&unannounced).await.unwrap_err()]
    {
        let text = error.to_string();
        assert!(text.contains("a connection pooler in transaction mode is in front of PostgreSQL"), "{text}");
        assert!(text.contains("database.pooled = true"), "{text}");
    }
    let direct = open_postgres(&cluster.url("postgres"), &PgSettings::new(4)).unwrap();
    assert!(!pending_migrations(&direct).await.unwrap().is_current(), "nothing was changed");
    migrate(&direct).await.unwrap();
    // As when the pooler comes later, or is too busy to be recognised: the sessions have the statements already.
    let unannounced = World::over(unannounced, ());
    let errors = join_all((0..12).map(|_| unannounced.store.ping())).await;
    for text in errors.into_iter().filter_map(|error| Some(error.err()?.to_string())) {
        assert!(text.contains("database.pooled = true"), "{text}");
    }
    let startup = format!("{}?options=-c%20search_path%3Dother", pooler.url("postgres"));
    let refused = open_postgres(&startup, &PgSettings { pooled: true, ..PgSettings::new(1) }).unwrap();
    let text = migrate(&refused).await.unwrap_err().to_string();
    assert!(text.contains("unsupported startup parameter") && text.contains("Remove it"), "{text}");
}

#[tokio::test]
async fn wake_ups_pass_the_pooler_and_are_heard_over_a_direct_connection() {
    let (pooler, cluster) = servers();
    let Db::Pg(pooled) = open(&pooler) else { panic!("PostgreSQL was opened") };
    let direct = Pg::open(&cluster.url("postgres"), &PgSettings::new(1)).unwrap();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let start = |listener, name: &str| PgWakeUps::start(pooled.clone(), listener, name, &tasks, stop.clone());
    let (listens, polls) = (start(Some(direct), "listens"), start(None, "polls"));
    let (mut heard, mut without_listening) = (listens.listen(), polls.listen());
    let next = timeout(Duration::from_secs(10), heard.recv()).await.expect("it listens").unwrap();
    assert_eq!(next, WakeUp::Everything);
    polls.send(WakeUp::Streamers);
    let next = timeout(Duration::from_secs(10), heard.recv()).await.expect("it arrives").unwrap();
    assert_eq!(next, WakeUp::Streamers);
    listens.send(WakeUp::Events);
    assert_eq!(without_listening.recv().await.unwrap(), WakeUp::Streamers, "its own");
    assert!(timeout(Duration::from_millis(500), without_listening.recv()).await.is_err(), "it cannot listen");
    stop.cancel();
}
