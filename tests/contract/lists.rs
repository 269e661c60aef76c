//! Lists: their pages, and the indexes they are read by.

use std::fmt::Debug;

use rstest_reuse::apply;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use streamward::adapters::sql::{migrate, open_sqlite, statements};
use streamward::adapters::system::SystemIds;
use streamward::domain::ApiTokenId;
use streamward::domain::access::{ApiToken, Role, Scope};
use streamward::domain::audit::AuditFilter;
use streamward::domain::page::{Page, Placed};
use streamward::domain::stream::Stream;
use streamward::domain::streamer::Streamer;
use streamward::ports::{IdGen as _, KeyFilter, StatusFilter, StreamFilter, StreamerFilter};
use tempfile::TempDir;

use crate::every_store;
use crate::fixture::{Engine, at, audit, broadcaster, by, fresh_hash, path, postgres, server};
use crate::streamer_fixture::streamer;
use crate::streams::several;

/// The pages of every size join to the whole list.
async fn pages_join<T: Placed + Debug + PartialEq>(read: impl AsyncFn(Page<T::Place>) -> Vec<T>) -> Vec<T> {
    let whole = read(Page::default()).await;
    for limit in 1..=whole.len() + 1 {
        let (mut joined, limit): (Vec<T>, _) = (Vec::new(), Some(u32::try_from(limit).unwrap()));
        loop {
            let page = read(Page { limit, after: joined.last().map(Placed::place) }).await;
            assert!(page.len() <= limit.unwrap() as usize);
            if page.is_empty() {
                break;
            }
            joined.extend(page);
        }
        assert_eq!(joined, whole, "pages of {limit:?}");
    }
    whole
}

#[apply(every_store)]
#[tokio::test]
async fn pages_of_streams_join_to_the_whole_list(#[case] engine: Engine) {
    let world = engine.world().await;
    let [a, b, ..] = several(&world).await;
    let all = StreamFilter { status: StatusFilter::All, ..StreamFilter::default() };
    for (filter, count) in [
        (all.clone(), 5),
        (StreamFilter::default(), 3),
        (StreamFilter { status: StatusFilter::Ended, ..all.clone() }, 2),
        (StreamFilter { path: Some(path("b")), ..all.clone() }, 2),
        (StreamFilter { broadcaster_id: Some(b.broadcaster_id), ..all.clone() }, 2),
        (StreamFilter { media_server: Some(server("second")), ..all.clone() }, 2),
        (StreamFilter { path: Some(path("b")), broadcaster_id: Some(a.broadcaster_id), ..all.clone() }, 0),
        (StreamFilter { path: Some(path("b")), media_server: Some(server("second")), ..all.clone() }, 0),
        (
            StreamFilter {
                status: StatusFilter::Ended,
                path: Some(path("b")),
                broadcaster_id: Some(b.broadcaster_id),
                media_server: Some(server("default")),
            },
            1,
        ),
    ] {
        let read = async |page| -> Vec<Stream> {
            world.store.streams(&Scope::system(), &filter, &page).await.unwrap()
        };
        assert_eq!(pages_join(read).await.len(), count, "{filter:?}");
    }
}

#[apply(every_store)]
#[tokio::test]
async fn pages_of_keys_and_broadcasters_join_to_the_whole_list(#[case] engine: Engine) {
    let world = engine.world().await;
    several(&world).await;
    let [one, ..] =
        &world.store.stream_keys(&Scope::system(), &KeyFilter::default(), &Page::first(1)).await.unwrap()[..]
    else {
        panic!("no key")
    };
    for (filter, count) in [
        (KeyFilter::default(), 4),
        (KeyFilter { path: Some(one.path.clone()), broadcaster_id: None }, 1),
        (KeyFilter { path: None, broadcaster_id: Some(one.broadcaster_id) }, 1),
        (KeyFilter { path: Some(path("z")), broadcaster_id: Some(one.broadcaster_id) }, 0),
    ] {
        let read = async |page| world.store.stream_keys(&Scope::system(), &filter, &page).await.unwrap();
        assert_eq!(pages_join(read).await.len(), count, "{filter:?}");
    }
    for name in ["x", "y"] {
        let one = broadcaster(name, at(500));
        world.store.create_broadcaster(&one, by(&audit("create", at(0)))).await.unwrap();
    }
    let read = async |page| world.store.broadcasters(&Scope::system(), &page).await.unwrap();
    assert_eq!(pages_join(read).await.len(), 6);
}

#[apply(every_store)]
#[tokio::test]
async fn pages_of_tokens_and_streamers_join_to_the_whole_list(#[case] engine: Engine) {
    let world = engine.world().await;
    for (name, seconds) in [("a", 1), ("b", 2), ("c", 2), ("d", 0)] {
        let id = ApiTokenId(SystemIds.uuid());
        let token = ApiToken {
            id,
            organization_id: None,
            name: name.into(),
            role: Role::Viewer,
            created_at: at(seconds),
            expires_at: None,
        };
        world.store.create_api_token(&token, &fresh_hash(), by(&audit("create", at(0)))).await.unwrap();
    }
    let read = async |page| world.store.api_tokens(&Scope::system(), &page).await.unwrap();
    assert_eq!(pages_join(read).await.len(), 4);
    // Another program may store an empty name.
    for name in ["b", "", "A", "a_", "ä", "C"] {
        let one = Streamer { username: name.to_owned(), ..streamer("x", at(0)) };
        world.store.create_streamer(&one, by(&audit("create", at(0)))).await.unwrap();
    }
    let filter = StreamerFilter::default();
    let read = async |page| world.store.streamers(&Scope::system(), &filter, &page).await.unwrap();
    let names: Vec<String> = pages_join(read).await.into_iter().map(|one| one.username).collect();
    assert_eq!(names, ["", "A", "a_", "b", "C", "ä"]);
}

#[apply(every_store)]
#[tokio::test]
async fn pages_of_the_audit_log_join_to_the_whole_log_and_each_says_how_many_entries_there_are(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    let entries = [1, 2, 2, 2, 3].map(|seconds| audit("create", at(seconds)));
    world.store.record_audit(&entries).await.unwrap();
    let read = async |page: Page<_>| {
        let filter =
            AuditFilter { limit: page.limit.unwrap_or(100), after: page.after, ..AuditFilter::default() };
        let (entries, total) = world.store.audit_entries(&Scope::system(), &filter).await.unwrap();
        assert_eq!(total, 5);
        entries
    };
    assert_eq!(pages_join(read).await.len(), 5);
}

#[apply(every_store)]
#[tokio::test]
async fn live_streams_are_counted_for_each_media_server(#[case] engine: Engine) {
    let world = engine.world().await;
    assert!(world.store.live_streams(&Scope::system()).await.unwrap().is_empty());
    several(&world).await;
    let live = world.store.live_streams(&Scope::system()).await.unwrap();
    assert_eq!(live.into_iter().collect::<Vec<_>>(), [(server("default"), 2), (server("second"), 1)]);
}

/// Each statement that reads a page or counts rows for one, and the index that it must read it by: in the order of the list, from the place where
/// the page begins, with the filter that finds the fewest rows.
const PAGES: [(&str, &str); 49] = [
    ("access::PAGE", "api_tokens_newest"),
    ("audit_log::PAGE", "audit_log_newest"),
    ("audit_log::PAGE_OF_ACTOR", "audit_log_actor"),
    ("audit_log::PAGE_OF_ACTION", "audit_log_action"),
    ("audit_log::PAGE_OF_RESOURCE_TYPE", "audit_log_resource_type"),
    ("audit_log::PAGE_OF_RESOURCE_ID", "audit_log_resource_id"),
    ("audit_log::PAGE_OF_OUTCOME", "audit_log_outcome"),
    ("audit_log::COUNT", "audit_log_newest"),
    ("audit_log::COUNT_OF_ACTOR", "audit_log_actor"),
    ("audit_log::COUNT_OF_ACTION", "audit_log_action"),
    ("audit_log::COUNT_OF_RESOURCE_TYPE", "audit_log_resource_type"),
    ("audit_log::COUNT_OF_RESOURCE_ID", "audit_log_resource_id"),
    ("audit_log::COUNT_OF_OUTCOME", "audit_log_outcome"),
    ("auth_failures::PAGE", "auth_failures_newest"),
    ("auth_failures::PAGE_OF_ORGANIZATION", "auth_failures_organization"),
    ("broadcasters::PAGE", "broadcasters_newest"),
    ("channels::PAGE", "channels_newest"),
    ("channel_destinations::PAGE", "destinations_newest"),
    ("programmes::PAGE", "channel_decisions_newest"),
    ("clips::PAGE", "clips_newest"),
    ("stream_keys::PAGE", "stream_keys_newest"),
    ("stream_keys::PAGE_OF_BROADCASTER", "stream_keys_broadcaster"),
    ("stream_keys::PAGE_ON_PATH", "stream_keys_path"),
    ("streamers::PAGE", "streamers_username"),
    ("streams::PAGE", "streams_newest"),
    ("streams::PAGE_ON_PATH", "streams_path"),
    ("streams::PAGE_OF_BROADCASTER", "streams_broadcaster"),
    ("streams::PAGE_ON_SERVER", "streams_media_server"),
    ("studios::PAGE_OF_DECISIONS", "studio_decisions_newest"),
    ("studios::PAGE_OF_DRILLS", "studio_drills_newest"),
    ("studios::PAGE_OF_RECORDS", "studio_records_pkey"),
    ("studios::PAGE_OF_SAMPLES", "studio_samples_pkey"),
    ("studios::COUNT_OF_SAMPLES", "studio_samples_pkey"),
    ("access::PAGE_OF_ORGANIZATION", "api_tokens_organization"),
    ("audit_log::PAGE_OF_ORGANIZATION", "audit_log_organization"),
    ("audit_log::COUNT_OF_ORGANIZATION", "audit_log_organization"),
    ("audit_log::COUNT_IN_SCOPE", "audit_log_newest"),
    ("broadcasters::PAGE_OF_ORGANIZATION", "broadcasters_organization"),
    ("channels::PAGE_OF_ORGANIZATION", "channels_organization"),
    ("clips::PAGE_OF_ORGANIZATION", "clips_organization"),
    ("notifications::PAGE", "notifications_newest"),
    ("notifications::PAGE_OF_ORGANIZATION", "notifications_organization"),
    ("organizations::PAGE", "organizations_newest"),
    ("playback::PAGE", "playback_tokens_newest"),
    ("playback::PAGE_OF_ORGANIZATION", "playback_tokens_organization"),
    ("users::PAGE", "users_newest"),
    ("stream_keys::PAGE_OF_ORGANIZATION", "stream_keys_organization"),
    ("streamers::PAGE_OF_ORGANIZATION", "streamers_username"),
    ("streams::PAGE_OF_ORGANIZATION", "streams_organization"),
];

fn pages() -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    let is_page = |name: &str| name.contains("::PAGE") || name.contains("::COUNT");
    let found: Vec<_> = statements().filter(|(name, ..)| is_page(name)).collect();
    let index = |name: &str| {
        if name.ends_with("streams::PAGE_ACTIVE") {
            return "streams_active";
        }
        let page = PAGES.iter().find(|(page, _)| name.ends_with(page));
        page.unwrap_or_else(|| panic!("say which index {name} is read by")).1
    };
    assert_eq!(found.len(), PAGES.len() + 1);
    found.into_iter().map(|(name, pg, sqlite)| (name, index(name), pg, sqlite)).collect()
}

/// An empty database of SQLite.
async fn sqlite() -> (TempDir, SqlitePool) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("streamward.db");
    migrate(&open_sqlite(&file).await.unwrap()).await.unwrap();
    (folder, SqlitePool::connect_with(SqliteConnectOptions::new().filename(&file)).await.unwrap())
}

/// How SQLite carries out a statement.
async fn sqlite_plan(pool: &SqlitePool, text: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
    let plan = sqlx::query(explain).fetch_all(pool).await.unwrap();
    plan.iter().map(|row| row.get("detail")).collect()
}

#[tokio::test]
async fn sqlite_reads_every_page_as_a_range_of_an_index() {
    let (_folder, pool) = sqlite().await;
    for (name, index, _, text) in pages() {
        let plan = sqlite_plan(&pool, text).await;
        let primary = index.strip_suffix("_pkey").map(|table| format!("sqlite_autoindex_{table}_1"));
        let index = primary.as_deref().unwrap_or(index);
        let is_range = |step: &&String| {
            step.starts_with("SEARCH ")
                && step.replace("COVERING ", "").contains(&format!(" USING INDEX {index} ("))
        };
        // The organizations of the scope, and the row that the page belongs to.
        let is_of_scope = |step: &&String| {
            step.contains("SUBQUERY")
                || *step == "CREATE BLOOM FILTER"
                || step.starts_with("SCAN json_each ")
                || (step.starts_with("SEARCH ") && step.contains(" INDEX sqlite_autoindex_"))
        };
        let (ranges, others): (Vec<&String>, Vec<&String>) = plan.iter().partition(is_range);
        assert!(ranges.len() == 1 && others.iter().all(is_of_scope), "{name}: {plan:#?}\n{text}");
    }
}

/// Tables that grow for as long as the service is used.
const GROWING: [&str; 14] = [
    "audit_log",
    "broadcasters",
    "channel_decisions",
    "events",
    "signed_requests",
    "status_events",
    "stream_keys",
    "streams",
    "studio_decisions",
    "studio_downtimes",
    "studio_drills",
    "studio_records",
    "studio_samples",
    "studio_sessions",
];
/// Indexes that have ended streams too.
const WITH_HISTORY: [&str; 5] =
    ["streams_newest", "streams_organization", "streams_broadcaster", "streams_path", "streams_media_server"];

/// Every poll of a media server would otherwise read every stream there ever was.
#[tokio::test]
async fn sqlite_scans_no_table_that_grows_and_finds_live_streams_without_the_ended_ones() {
    let (_folder, pool) = sqlite().await;
    let mut slow = Vec::new();
    for (name, _, text) in statements() {
        for step in sqlite_plan(&pool, text).await {
            let scanned = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            let is_scan = scanned.is_some_and(|table| GROWING.contains(&table))
                && !step.contains("INDEX streams_active")
                && !text.ends_with(" ORDER BY seq LIMIT 1");
            let is_history = text.contains("streams WHERE ended_at IS NULL")
                && WITH_HISTORY.iter().any(|index| step.contains(&format!(" INDEX {index} ")));
            if is_scan || is_history {
                slow.push(format!("{name}: {step}"));
            }
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}

#[tokio::test]
async fn postgresql_reads_every_page_as_a_range_of_an_index() {
    let database = postgres().await;
    let mut pg = PgConnection::connect(database.url()).await.unwrap();
    // The tables are empty, so reading and sorting all rows would be cheap.
    for setting in [
        "plan_cache_mode = force_generic_plan",
        "enable_seqscan = off",
        "enable_bitmapscan = off",
        "enable_sort = off",
    ] {
        sqlx::raw_sql(AssertSqlSafe(format!("SET {setting}"))).execute(&mut pg).await.unwrap();
    }
    for (name, index, text, _) in pages() {
        let parameters = (1..20).filter(|n| text.contains(&format!("${n}"))).map(|_| "NULL");
        let parameters = parameters.collect::<Vec<_>>().join(", ");
        sqlx::raw_sql(AssertSqlSafe(format!("PREPARE page AS {text}"))).execute(&mut pg).await.unwrap();
        let explain = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) EXECUTE page({parameters})"));
        let plan = sqlx::raw_sql(explain).fetch_all(&mut pg).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        sqlx::raw_sql("DEALLOCATE page").execute(&mut pg).await.unwrap();
        let plan = plan.join("\n");
        let is_range = plan.contains(&format!(" using {index} on ")) && plan.contains("Index Cond: ");
        assert!(is_range && !plan.contains("Sort"), "{name}:\n{plan}\n{text}");
    }
}
