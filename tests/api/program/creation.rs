//! Only `serve`, `up`, `migrate` and `restore` create a database.

use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};
use streamward_test_support::Database;

use super::Home;

/// One of each kind of command that uses a database.
const COMMANDS: [&[&str]; 8] = [
    &["broadcaster", "list"],
    &["key", "create", "--broadcaster", "Alice"],
    &["token", "create", "x", "--role", "admin"],
    &["stream", "list"],
    &["config", "--reveal", "hooks.secret"],
    &["mediamtx-config"],
    &["mediamtx-config", "--install", "for-mediamtx"],
    &["backup", "backup.db"],
];

fn files(home: &Home) -> Vec<String> {
    let files = std::fs::read_dir(home.dir.path()).expect("a directory").flatten();
    files.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn command_in_the_wrong_directory_creates_nothing_and_says_so() {
    let home = Home::new();
    for command in COMMANDS {
        let ended = home.run(command);
        assert_eq!(ended.code, Some(3), "{command:?}: {}{}", ended.out, ended.err);
        let place = home.dir.path().join("streamward.db");
        assert!(ended.err.contains("no Streamward database at /"), "{}", ended.err);
        assert!(ended.err.contains(&*place.display().to_string()), "{}", ended.err);
        assert!(ended.err.contains("--config"), "{}", ended.err);
        assert_eq!(ended.err.trim().lines().count(), 1, "{}", ended.err);
    }
    home.run(&["doctor"]);
    assert_eq!(files(&home), Vec::<String>::new());
}

#[test]
fn commands_work_after_migrate_and_find_its_master_key() {
    let home = Home::new().prepared();
    home.key();
    assert_eq!(home.ok(&["config", "--reveal", "api.hmac_secret"]).trim().len(), 43);
    std::fs::remove_file(home.dir.path().join("streamward-secrets.key")).expect("removed");
    let ended = home.run(&["broadcaster", "list"]);
    assert!(ended.err.contains("the master key of this database is missing"), "{}", ended.err);
    assert_eq!(ended.code, Some(3));
}

#[test]
fn migrated_database_without_a_key_gets_none_from_a_command() {
    let home = Home::new().with("MASTER_KEY", &"07".repeat(32)).prepared();
    let home = Home { env: Vec::new(), ..home };
    let ended = home.run(&["broadcaster", "list"]);
    assert!(ended.err.contains("has no master key yet: start the service once"), "{}", ended.err);
    assert!(!home.dir.path().join("streamward-secrets.key").exists());
}

#[tokio::test]
async fn file_that_is_no_streamward_database_is_refused_and_left_as_it_is() {
    let home = Home::new();
    let file = home.dir.path().join("streamward.db");
    let foreign = home.dir.path().join("foreign.db");
    let address = format!("sqlite://{}?mode=rwc", foreign.display());
    let mut other = SqliteConnection::connect(&address).await.expect("opened");
    other.execute("CREATE TABLE t (x)").await.expect("created");
    other.close().await.expect("closed");
    let foreign = std::fs::read(foreign).expect("read");
    for (bytes, words) in [
        (foreign.as_slice(), "has no Streamward tables"),
        (&foreign[..foreign.len() / 2], "is damaged, incomplete"),
        (b"not a database, but a text that is longer than the header of one", "is damaged, incomplete"),
    ] {
        std::fs::write(&file, bytes).expect("written");
        for command in [&["serve"][..], &["migrate"], &["broadcaster", "list"]] {
            let refused = home.refused(command);
            assert!(refused.contains(words), "{command:?}: {refused}");
        }
        assert_eq!(std::fs::read(&file).expect("read"), bytes, "it was changed");
    }
    let doctor = home.run(&["doctor"]);
    assert!(
        doctor.out.contains("FAIL  database ") && doctor.out.contains("restore a backup"),
        "{}",
        doctor.out
    );
}

/// What `cp` makes of a database in use: its first page, without the log that has the tables.
#[tokio::test]
async fn half_copy_of_a_database_in_use_is_refused() {
    let home = Home::new();
    let original = home.dir.path().join("original.db");
    let address = format!("sqlite://{}?mode=rwc", original.display());
    let mut conn = SqliteConnection::connect(&address).await.expect("opened");
    conn.execute("PRAGMA journal_mode = WAL; CREATE TABLE broadcasters (x)").await.expect("created");
    let file = home.dir.path().join("streamward.db");
    std::fs::copy(&original, &file).expect("copied");
    assert_eq!(std::fs::metadata(&file).expect("there").len(), 4_096);
    for command in [&["serve"][..], &["broadcaster", "list"], &["backup", "x"]] {
        let refused = home.refused(command);
        assert!(
            refused.contains("has no Streamward tables") && refused.contains("streamward backup"),
            "{refused}"
        );
    }
    let refused = home.refused(&["restore", "streamward.db", "--force"]);
    assert!(refused.contains("has no Streamward tables"), "{refused}");
    // The other half.
    std::fs::remove_file(&file).expect("removed");
    std::fs::copy(home.dir.path().join("original.db-wal"), home.dir.path().join("streamward.db-wal"))
        .expect("copied");
    let refused = home.refused(&["serve"]);
    assert!(refused.contains("its write-ahead log") && !file.exists(), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn command_never_migrates_postgresql() {
    let database: Database = super::instances::empty().await;
    let home = Home::new().with("DATABASE__URL", database.url()).with("MASTER_KEY", &"07".repeat(32));
    let mut conn = PgConnection::connect(database.url()).await.expect("connected");
    for command in &COMMANDS[..7] {
        let ended = home.run(command);
        assert_eq!(ended.code, Some(3), "{command:?}: {}", ended.err);
        assert!(ended.err.contains("the database ") && ended.err.contains(" at "), "{}", ended.err);
        assert!(ended.err.contains("has no Streamward tables: run `streamward migrate`"), "{}", ended.err);
    }
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut conn).await.expect("counted");
    assert_eq!(tables, 0);
    home.ok(&["migrate"]);
    assert_eq!(home.json(&["broadcaster", "list"])["count"], 0);
    conn.execute("UPDATE _sqlx_migrations SET success = FALSE WHERE version = 2").await.expect("written");
    let ended = home.run(&["broadcaster", "list"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.err.contains("is too old (0002_streamers missing)"), "{}", ended.err);
    assert_eq!(files(&home), Vec::<String>::new());
}
