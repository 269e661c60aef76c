//! Other programs read and write the table of streamers directly in SQL.

use std::time::Duration;
use streamward::domain::access::Scope;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use streamward::adapters::sql::{PgSettings, migrate, open_postgres, open_sqlite};
use streamward::domain::Timestamp;
use streamward::domain::page::Page;
use streamward::domain::streamer::decide::{Outcome, ReportedStatus};
use streamward::domain::streamer::{
    ChannelId, Found, KickIds, Learned, Session, Slug, Status, Streamer, StreamerPatch, Track, UserId,
};
use streamward::ports::{Clock as _, StreamerFilter};
use tempfile::TempDir;

use crate::fixture::{Engine, World, at, audit, by, postgres};
use crate::streamer_fixture::{AT_ONCE, FLAP, report, session, slug, started, stopped};

/// A store, and another program with the same database open.
struct Beside {
    world: World,
    other: Other,
}

enum Other {
    Pg(Box<PgConnection>),
    Sqlite(Box<SqliteConnection>),
}

impl Beside {
    async fn new(engine: Engine) -> Self {
        if engine == Engine::Postgres {
            let database = postgres().await;
            let other = Other::Pg(Box::new(PgConnection::connect(database.url()).await.unwrap()));
            let db = open_postgres(database.url(), &PgSettings::new(4)).unwrap();
            return Self { world: World::over(db, database), other };
        }
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("streamward.db");
        let db = open_sqlite(&file).await.unwrap();
        migrate(&db).await.unwrap();
        // Most programs open SQLite without foreign keys.
        let options = SqliteConnectOptions::new().filename(&file).foreign_keys(false);
        let other = SqliteConnection::connect_with(&options).await.unwrap();
        Self { world: World::over(db, folder), other: Other::Sqlite(Box::new(other)) }
    }

    async fn try_sql(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &mut self.other {
            Other::Pg(conn) => conn.execute(sql).await.map(|done| done.rows_affected()),
            Other::Sqlite(conn) => conn.execute(sql).await.map(|done| done.rows_affected()),
        }
    }

    async fn sql(&mut self, sql: &str) {
        self.try_sql(sql).await.unwrap();
    }

    /// The one text that a query returns.
    async fn text(&mut self, sql: &str) -> Option<String> {
        let query = AssertSqlSafe(sql.to_owned());
        match &mut self.other {
            Other::Pg(conn) => sqlx::query_scalar(query).fetch_one(&mut **conn).await.unwrap(),
            Other::Sqlite(conn) => sqlx::query_scalar(query).fetch_one(&mut **conn).await.unwrap(),
        }
    }

    async fn named(&self, name: &str) -> Streamer {
        let filter = StreamerFilter { username: Some(name.into()), ..StreamerFilter::default() };
        self.world
            .store
            .streamers(&Scope::system(), &filter, &Page::default())
            .await
            .unwrap()
            .pop()
            .expect("it is listed")
    }
}

fn now() -> Timestamp {
    streamward::adapters::system::SystemClock.now()
}

#[rstest::rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_row_needs_only_a_name(#[case] engine: Engine) {
    let mut beside = Beside::new(engine).await;
    let before = now().minus(Duration::from_millis(2));
    beside.sql("INSERT INTO streamers (username) VALUES ('xQc'), ('other')").await;
    let row = beside.named("xqc").await;
    assert_eq!((row.id.0.get_version_num(), row.id.0.get_variant()), (4, uuid::Variant::RFC4122));
    assert_ne!(row.id, beside.named("other").await.id);
    assert!((before..=now().plus(Duration::from_millis(2))).contains(&row.created_at), "{row:?}");
    let expected = Streamer {
        id: row.id,
        username: "xQc".into(),
        ..Streamer::new(row.id, &slug("xqc"), row.created_at)
    };
    assert_eq!(Streamer { updated_at: row.created_at, ..row.clone() }, expected);

    let world = &beside.world;
    assert_eq!(world.record_one(started(&row, 1, at(1))).await, Outcome::Changed);
    let found =
        Found::Ids { ids: KickIds { user: UserId::new(5).ok(), ..KickIds::default() }, renamed: None };
    world.store.learn(&[Learned { streamer: row.id, found }], at(2)).await.unwrap();
    let stored = world.now(&row).await;
    assert_eq!((stored.track.status, stored.ids.user), (Status::Online, UserId::new(5).ok()));
    assert_eq!(stored.updated_at, row.updated_at, "the owner changed nothing");
    world.agree().await;
    assert!(beside.try_sql("INSERT INTO streamers (username) VALUES ('XQC')").await.is_err());
}

/// On SQLite, the default of `id` builds the version bytes by hand.
#[tokio::test]
async fn every_id_that_sqlite_makes_is_a_random_uuid() {
    let mut beside = Beside::new(Engine::Sqlite).await;
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
                INSERT INTO streamers (username) SELECT 's' || i FROM n";
    beside.sql(many).await;
    let all = beside
        .world
        .store
        .streamers(&Scope::system(), &StreamerFilter::default(), &Page::default())
        .await
        .unwrap();
    let ids: std::collections::BTreeSet<_> = all.iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), 2_000);
    assert!(ids.iter().all(|id| id.0.get_version_num() == 4 && id.0.get_variant() == uuid::Variant::RFC4122));
}

#[rstest::rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn values_that_make_no_sense_are_read_as_unknown(#[case] engine: Engine) {
    let mut beside = Beside::new(engine).await;
    let long = "x".repeat(500);
    beside
        .sql(&format!(
            "INSERT INTO streamers (username, user_id, channel_id, chatroom_id, session_viewers, ended_watermark, \
             last_seen_online, created_at, display_name) \
             VALUES ('{long} ''ö', -1, 0, {max}, -5, -7, {max}, -{max}, '')",
            max = i64::MAX
        ))
        .await;
    beside.sql("INSERT INTO streamers (username) VALUES ('')").await;
    let all = beside
        .world
        .store
        .streamers(&Scope::system(), &StreamerFilter::default(), &Page::default())
        .await
        .unwrap();
    assert_eq!(all.len(), 2);
    let row = all.iter().find(|row| row.username.len() > 500).unwrap();
    assert_eq!((row.ids.user, row.ids.channel), (None, None));
    assert!(row.ids.chatroom.is_some());
    assert_eq!((&row.track.session, row.track.ended_watermark), (&None, None));
    assert_eq!(row.track.last_seen_online, None, "there is no such time");
    for row in &all {
        assert_eq!(beside.world.record_one(started(row, 1, at(1))).await, Outcome::Changed);
    }
    beside.world.agree().await;
}

#[rstest::rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_new_name_in_a_row_clears_the_status(#[case] engine: Engine) {
    let mut beside = Beside::new(engine).await;
    let xqc = beside.world.streamer("xqc").await;
    let ids = KickIds { user: UserId::new(1).ok(), channel: ChannelId::new(2).ok(), chatroom: None };
    let found = Found::Ids { ids, renamed: None };
    beside.world.store.learn(&[Learned { streamer: xqc.id, found }], at(1)).await.unwrap();
    beside.world.record_one(started(&xqc, 9, at(1))).await;
    let before = beside.world.now(&xqc).await;

    beside.sql("UPDATE streamers SET username = 'XQC', display_name = 'X'").await;
    let now = beside.world.now(&xqc).await;
    let same = Streamer {
        username: "XQC".into(),
        display_name: Some("X".into()),
        updated_at: now.updated_at,
        ..before
    };
    assert_eq!(now, same, "it is the same name");
    assert!(now.updated_at > xqc.updated_at);

    beside.sql("UPDATE streamers SET username = 'newer', channel_id = 3").await;
    let now = beside.world.now(&xqc).await;
    assert_eq!((now.username.as_str(), &now.track), ("newer", &Track::default()));
    assert_eq!(
        (now.ids.user, now.ids.channel.map(ChannelId::get)),
        (None, Some(3)),
        "what it was given with"
    );
    assert_eq!(beside.world.history(&xqc).await.len(), 1);
    assert_eq!(beside.world.record_one(started(&now, 1, at(2))).await, Outcome::Changed);

    // A renaming that we found ourselves keeps the status.
    let found = Found::Ids { ids: KickIds::default(), renamed: Slug::parse("newest").ok() };
    beside.world.store.learn(&[Learned { streamer: xqc.id, found }], now.updated_at).await.unwrap();
    let renamed = beside.world.now(&xqc).await;
    assert_eq!((renamed.username.as_str(), renamed.track.status), ("newest", Status::Online));
    assert_eq!((renamed.ids, renamed.updated_at), (now.ids, now.updated_at));
    beside.world.agree().await;
}

#[rstest::rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_row_paused_or_deleted_by_another_program_is_skipped(#[case] engine: Engine) {
    let mut beside = Beside::new(engine).await;
    let (paused, gone) = (beside.world.streamer("paused").await, beside.world.streamer("gone").await);
    for one in [&paused, &gone] {
        beside.world.record_one(started(one, 1, at(1))).await;
    }
    beside.sql("UPDATE streamers SET is_active = FALSE WHERE username = 'paused'").await;
    beside.sql("DELETE FROM streamers WHERE username = 'gone'").await;
    let now = beside.world.now(&paused).await;
    assert!(!now.is_active && now.updated_at > paused.updated_at);
    assert_eq!(now.track.status, Status::Online, "the last status stays");
    let recorded =
        beside.world.record(&[stopped(&paused, 1, at(2)), stopped(&gone, 1, at(2))], AT_ONCE, at(2)).await;
    assert!(recorded.iter().all(|one| one.outcome.is_none()), "{recorded:?}");
    let left = beside.text("SELECT CAST(COUNT(*) AS TEXT) FROM status_events").await;
    assert_eq!(left.as_deref(), Some("1"), "history goes with its streamer");
}

#[rstest::rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_view_shows_who_is_live_with_readable_times(#[case] engine: Engine) {
    let mut beside = Beside::new(engine).await;
    let xqc = beside.world.streamer("xqc").await;
    let reported = ReportedStatus::Started(Session { started_at: Some(at(4)), ..session(9) });
    let when = Timestamp::from_micros(at(5).micros() + 250_000);
    beside.world.record(&[report(xqc.id, reported, when)], FLAP, when).await;
    let times = if engine == Engine::Postgres {
        "SELECT to_char(last_seen_online AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM streamer_status"
    } else {
        "SELECT last_seen_online FROM streamer_status"
    };
    assert_eq!(beside.text(times).await.as_deref(), Some("1970-01-12T13:46:45.250Z"));
    let facts = "SELECT CAST(id AS TEXT) || ' ' || username || ' ' || status || ' ' || session_id FROM streamer_status";
    assert_eq!(beside.text(facts).await, Some(format!("{} xqc online 9", xqc.id)));
    assert_eq!(beside.text("SELECT CAST(session_ended_at AS TEXT) FROM streamer_status").await, None);
}

/// Like a process killed halfway: earlier writes of the same transaction are gone too.
#[rstest::rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn if_history_cannot_be_written_status_and_event_are_not_written(#[case] engine: Engine) {
    let mut beside = Beside::new(engine).await;
    let (xqc, other) = (beside.world.streamer("xqc").await, beside.world.streamer("other").await);
    beside.world.record_one(started(&other, 1, at(1))).await;
    let events = beside.world.events().await;
    // The number of the next event.
    beside.sql("UPDATE status_events SET seq = seq + 1").await;
    let reports = [started(&xqc, 2, at(2))];
    assert!(beside.world.store.record_reports(&reports, AT_ONCE, at(2)).await.is_err());
    assert_eq!(beside.world.now(&xqc).await, xqc);
    assert_eq!(beside.world.events().await, events);
    beside.sql("UPDATE status_events SET seq = seq - 1").await;
    beside.world.record(&reports, AT_ONCE, at(2)).await;
    beside.world.agree().await;
}

#[rstest::rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn offline_is_not_announced_for_a_row_that_is_online_again(#[case] engine: Engine) {
    let mut beside = Beside::new(engine).await;
    let xqc = beside.world.streamer("xqc").await;
    beside.world.record(&[started(&xqc, 1, at(1)), stopped(&xqc, 1, at(2))], FLAP, at(2)).await;
    beside.sql("UPDATE streamers SET status = 'online'").await;
    let events = beside.world.events().await;
    assert_eq!(beside.world.store.announce_offline(at(999)).await.unwrap(), 0);
    assert_eq!(beside.world.events().await, events);
    assert_eq!(beside.world.now(&xqc).await.track.offline_due, None);
    let patch = StreamerPatch { display_name: Some("x".into()), ..StreamerPatch::default() };
    beside.world.store.update_streamer(xqc.id, &patch, by(&audit("update", at(3)))).await.unwrap();
}
