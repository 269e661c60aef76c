//! `streamward backup` and `streamward restore`.

use std::fs;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::{Connection as _, SqliteConnection};

use super::{HOOK_SECRET, Home};

fn at(home: &Home, name: &str) -> PathBuf {
    home.dir.path().join(name)
}

/// Another home, with the backup of the first and, if there is one, its master key.
fn elsewhere(home: &Home) -> Home {
    let other = Home::new();
    for name in ["backup.db", "backup.db.key"] {
        if at(home, name).exists() {
            fs::copy(at(home, name), at(&other, name)).expect("copied");
        }
    }
    other
}

#[tokio::test]
async fn backup_beside_the_service_has_every_acknowledged_write_and_restores_elsewhere() {
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET);
    let _service = home.serve().await;
    let key = home.key();
    for n in 0..20 {
        home.ok(&["broadcaster", "create", &format!("Broadcaster {n}")]);
    }
    let made = home.json(&["backup", "backup.db", "--with-master-key"]);
    assert_eq!(made["file"], at(&home, "backup.db").display().to_string());
    assert_eq!(made["master_key_file"], at(&home, "backup.db.key").display().to_string());
    assert!(made["bytes"].as_u64().is_some_and(|bytes| bytes > 50_000), "{made}");
    for name in ["backup.db", "backup.db.key"] {
        let mode = fs::metadata(at(&home, name)).expect("written").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
    }
    assert!(!at(&home, "backup.db-wal").exists(), "it needs no log");

    let other = elsewhere(&home).with("HOOKS__SECRET", HOOK_SECRET);
    let restored = other.json(&["restore", "backup.db"]);
    assert_eq!(
        (&restored["master_key"], restored["kept"].as_array().map(Vec::len)),
        (&"restored".into(), Some(0))
    );
    assert_eq!(other.json(&["broadcaster", "list"])["count"], 21);
    let _service = other.serve().await;
    assert!(!other.log().contains("swt_"), "it is no first start");
    assert_eq!(other.may_publish(&key, 1).await, 200);
}

#[test]
fn backup_without_the_master_key_says_so_and_wants_it_at_the_start() {
    let home = Home::new().prepared();
    home.ok(&["broadcaster", "create", "Alice"]);
    let text = home.ok(&["backup", "backup.db"]);
    assert!(text.contains("The master key is not in it"), "{text}");
    assert!(!at(&home, "backup.db.key").exists());
    let other = elsewhere(&home);
    let text = other.ok(&["restore", "backup.db"]);
    assert!(text.contains("The master key is missing: put it into"), "{text}");
    assert!(other.refused(&["broadcaster", "list"]).contains("the master key of this database is missing"));
    fs::copy(at(&home, "streamward-secrets.key"), at(&other, "streamward-secrets.key")).expect("copied");
    assert_eq!(other.json(&["broadcaster", "list"])["count"], 1);
    assert_eq!(other.json(&["restore", "backup.db", "--force"])["master_key"], "present");
}

#[test]
fn nothing_is_overwritten_without_force() {
    let home = Home::new().prepared();
    home.ok(&["broadcaster", "create", "Alice"]);
    home.ok(&["backup", "backup.db"]);
    assert!(home.refused(&["backup", "backup.db"]).contains("exists: name another file"));
    home.ok(&["backup", "backup.db", "--force"]);
    for own in ["streamward.db", "./streamward.db"] {
        assert!(home.refused(&["backup", own, "--force"]).contains("is the database itself"), "{own}");
    }
    home.ok(&["broadcaster", "create", "Bob"]);
    assert!(home.refused(&["restore", "backup.db"]).contains("--force keeps it aside"));
    assert_eq!(home.json(&["broadcaster", "list"])["count"], 2);

    let restored = home.json(&["restore", "backup.db", "--force"]);
    assert_eq!(home.json(&["broadcaster", "list"])["count"], 1);
    let kept = restored["kept"][0].as_str().expect("a file").to_owned();
    assert!(kept.contains("streamward.db.before-restore-"), "{kept}");
    let old = Home::new().with("DATABASE__URL", &format!("sqlite://{kept}"));
    fs::copy(at(&home, "streamward-secrets.key"), at(&home, "the-key")).expect("copied");
    let old = old.with("MASTER_KEY_FILE", &at(&home, "the-key").display().to_string());
    assert_eq!(old.json(&["broadcaster", "list"])["count"], 2, "what was there is kept");
}

#[test]
fn restore_says_that_a_plain_copy_may_lack_the_last_writes() {
    let home = Home::new().prepared();
    home.ok(&["broadcaster", "create", "Alice"]);
    home.ok(&["backup", "backup.db", "--with-master-key"]);
    fs::copy(at(&home, "streamward.db"), at(&home, "copy.db")).expect("copied");
    fs::copy(at(&home, "backup.db.key"), at(&home, "copy.db.key")).expect("copied");
    for (file, is_copy) in [("backup.db", false), ("copy.db", true)] {
        let said = elsewhere(&home).ok(&["restore", &at(&home, file).display().to_string()]);
        assert_eq!(said.contains("the last writes may be missing"), is_copy, "{said}");
    }
}

#[test]
fn restore_over_a_new_installation_keeps_its_key_aside() {
    let home = Home::new().prepared();
    home.ok(&["broadcaster", "create", "Alice"]);
    home.ok(&["backup", "backup.db", "--with-master-key"]);
    let other = elsewhere(&home).prepared();
    let refused = other.refused(&["restore", "backup.db"]);
    assert!(refused.contains("--force"), "{refused}");
    let restored = other.json(&["restore", "backup.db", "--force"]);
    assert_eq!(
        (&restored["master_key"], restored["kept"].as_array().map(Vec::len)),
        (&"restored".into(), Some(2))
    );
    assert_eq!(other.json(&["broadcaster", "list"])["count"], 1);
    // A key that is configured is never replaced.
    let third = elsewhere(&home).with("MASTER_KEY", &"00".repeat(32));
    let refused = third.refused(&["restore", "backup.db", "--force"]);
    assert!(refused.contains("the master key does not belong to this backup"), "{refused}");
    assert!(!at(&third, "streamward.db").exists());
}

#[tokio::test]
async fn restore_is_refused_while_a_service_has_the_file() {
    let home = Home::new();
    let _service = home.serve().await;
    home.ok(&["backup", "backup.db"]);
    let refused = home.refused(&["restore", "backup.db", "--force"]);
    assert!(refused.contains("already served by another Streamward (process "), "{refused}");
}

/// The bytes of the first page of a table.
async fn page_of(file: &Path, table: &str) -> Range<usize> {
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("opened");
    let page = "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = $1";
    let (number, size): (u32, u32) =
        sqlx::query_as(page).bind(table).fetch_one(&mut conn).await.expect("the table");
    conn.close().await.expect("closed");
    let (begin, size) = (((number - 1) * size) as usize, size as usize);
    begin..begin + size
}

#[tokio::test]
async fn file_that_is_no_whole_backup_is_refused() {
    let home = Home::new().prepared();
    home.ok(&["broadcaster", "create", "Alice"]);
    home.ok(&["backup", "backup.db"]);
    let whole = fs::read(at(&home, "backup.db")).expect("read");
    let other = Home::new();
    let file = at(&other, "backup.db");
    let mut damaged = whole.clone();
    // A page that nothing reads when the file is opened.
    let page = page_of(&at(&home, "backup.db"), "broadcasters").await;
    damaged[page].fill(0xA5);
    for (bytes, words) in [
        (&whole[..whole.len() / 2], "is damaged, incomplete"),
        (&whole[..0], "the file is empty"),
        (b"-- PostgreSQL database dump", "is damaged, incomplete"),
        (damaged.as_slice(), "the database is damaged"),
    ] {
        fs::write(&file, bytes).expect("written");
        let refused = other.refused(&["restore", "backup.db"]);
        assert!(refused.contains(words), "{refused}");
        assert!(!at(&other, "streamward.db").exists());
    }
    assert!(other.refused(&["restore", "nowhere.db"]).contains("does not exist"));

    fs::write(&file, &whole).expect("written");
    fs::write(at(&other, "backup.db-wal"), "the log of a plain copy").expect("written");
    assert!(other.refused(&["restore", "backup.db"]).contains("its log"));
    fs::remove_file(at(&other, "backup.db-wal")).expect("removed");

    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("opened");
    super::add_migration_from_the_future(&mut conn).await;
    conn.close().await.expect("closed");
    let refused = other.refused(&["restore", "backup.db"]);
    assert!(refused.contains("a newer Streamward made it"), "{refused}");
    assert_eq!(fs::read_dir(other.dir.path()).expect("a directory").count(), 2, "backup and lock only");
}

#[test]
fn postgresql_is_backed_up_by_its_own_programs() {
    let home = Home::new().with("DATABASE__URL", "postgres://u:hunter2@127.0.0.1:9/d");
    for (command, program) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
        let refused = home.refused(&[command, "file"]);
        assert!(refused.contains(program) && refused.contains("docs/backup.md"), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
