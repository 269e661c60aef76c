//! Damaged pages of a SQLite file are found, and every light says so.

use std::fs::OpenOptions;
use std::io::{Seek as _, SeekFrom, Write as _};

use serde_json::Value;
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use super::{Home, SOON, client, eventually};

/// Fills the audit log, so that the middle of the file belongs to it.
async fn fill(home: &Home) {
    let file = home.dir.path().join("streamward.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("opened");
    conn.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
         INSERT INTO audit_log (id, at, action, outcome, metadata, told)
         SELECT randomblob(16), CAST(unixepoch('subsec') * 1000000 AS INTEGER) - i, 'create', 'success',
                json_object('filler', hex(randomblob(500))), 1 FROM n",
    )
    .await
    .expect("written");
    conn.close().await.expect("closed");
}

/// Overwrites the third quarter of the file.
fn overwrite(home: &Home) {
    let path = home.dir.path().join("streamward.db");
    let mut file = OpenOptions::new().write(true).open(path).expect("opened");
    let length = file.metadata().expect("there").len();
    assert!(length > 4_000_000, "{length}");
    file.seek(SeekFrom::Start(length / 2)).expect("there");
    let garbage = vec![0xA5; usize::try_from(length / 4).expect("small")];
    file.write_all(&garbage).expect("written");
}

async fn health(home: &Home) -> Value {
    let answer = client().get(home.url("/health")).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.json().await.expect("JSON")
}

async fn until_damaged(home: &Home) -> Value {
    let damaged = eventually("the damage is shown", SOON, async || {
        let health = health(home).await;
        Ok((health["database"] == "damaged").then_some(health))
    });
    damaged.await.expect("shown").0
}

#[tokio::test]
async fn damaged_pages_are_found_by_doctor_and_at_the_start() {
    let home = Home::new().prepared();
    fill(&home).await;
    let doctor = home.run(&["doctor"]);
    assert!(doctor.out.contains("database file") && doctor.out.contains("is not damaged"), "{}", doctor.out);
    overwrite(&home);

    let doctor = home.run(&["doctor"]);
    assert_eq!(doctor.code, Some(7));
    assert!(doctor.out.contains("FAIL  database file"), "{}", doctor.out);
    assert!(doctor.out.contains("restore a backup with `streamward restore`"), "{}", doctor.out);
    assert!(home.refused(&["backup", "copy.db"]).contains("damaged"));
    assert!(!home.dir.path().join("copy.db").exists(), "a copy of a damaged database was left");

    let _service = home.serve().await;
    let health = until_damaged(&home).await;
    assert_eq!(health["status"], "degraded");
    assert!(health["advice"].as_str().is_some_and(|advice| advice.contains("restore a backup")), "{health}");
    assert!(home.log().contains("the database is damaged: restore a backup"), "{}", home.log());
    let doctor = home.run(&["doctor"]);
    assert!(doctor.out.contains("but found its database damaged"), "{}", doctor.out);
    // What can be read still works.
    home.key();
}

#[tokio::test]
async fn statement_that_reads_a_damaged_page_degrades_the_health() {
    let home = Home::new().prepared();
    fill(&home).await;
    let _service = home.serve().await;
    eventually("the file was checked", SOON, async || {
        Ok(home.log().contains("the database file is not damaged").then_some(()))
    })
    .await
    .expect("checked");
    let before = health(&home).await;
    assert_eq!((&before["status"], &before["database"]), (&"ok".into(), &"ok".into()));
    overwrite(&home);
    // Every entry before the page is read too.
    let request = client().get(home.url("/audit-logs?offset=4000")).bearer_auth(home.admin_token());
    assert_eq!(request.send().await.expect("an answer").status(), 500);
    assert_eq!(until_damaged(&home).await["status"], "degraded");
}
