//! Clips of the whole program: uploads that outlive a killed service, and the command line beside it.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};
use streamward_test_support::process::{Process, eventually};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Home, client};

/// How long a short film takes to be prepared on a busy machine.
const PREPARED: Duration = Duration::from_secs(60);

/// Makes a short film in the directory of the program.
fn film(home: &Home) -> Vec<u8> {
    let file = home.dir.path().join("film.mp4");
    let arguments = "-v error -f lavfi -i testsrc=s=128x96:r=25:d=1.5 -c:v libx264";
    let made =
        Command::new("ffmpeg").args(arguments.split(' ')).arg(&file).status().expect("ffmpeg is installed");
    assert!(made.success());
    std::fs::read(file).expect("the film")
}

#[tokio::test]
async fn upload_continues_after_a_cut_connection_and_a_killed_service() {
    let home = Home::new();
    let film = film(&home);
    let service = home.serve().await;
    let bearer = format!("Bearer {}", home.admin_token());
    let tus = |request: reqwest::RequestBuilder| {
        let request = request.header("authorization", &bearer).header("tus-resumable", "1.0.0");
        async { request.send().await.expect("an answer") }
    };
    let begun = client().post(home.url("/clips"));
    let begun = begun.header("upload-length", film.len()).header("upload-metadata", "filename ZmlsbS5tcDQ=");
    let begun = tus(begun).await;
    assert_eq!(begun.status().as_u16(), 201);
    let clip = begun.headers()["location"].to_str().expect("text").to_owned();

    let mut connection = TcpStream::connect(("127.0.0.1", home.port)).await.expect("connected");
    let head = format!(
        "PATCH {clip} HTTP/1.1\r\nhost: x\r\nauthorization: {bearer}\r\ntus-resumable: 1.0.0\r\nupload-offset: 0\r\n\
         content-type: application/offset+octet-stream\r\ncontent-length: {}\r\n\r\n",
        film.len()
    );
    connection.write_all(head.as_bytes()).await.expect("sent");
    connection.write_all(&film[..1_000]).await.expect("sent");
    drop(connection);
    let offset = async || -> u64 {
        let head = tus(client().head(home.url(&clip))).await;
        head.headers()["upload-offset"].to_str().expect("text").parse().expect("a number")
    };
    let stored = eventually("the first part is stored", PREPARED, async || {
        // GET does not end the request that is still received; HEAD would.
        let shown: Value = tus(client().get(home.url(&clip))).await.json().await?;
        Ok::<_, anyhow::Error>((shown["uploaded"] == 1_000).then_some(()))
    });
    stored.await.expect("it is");

    drop(service);
    let _service = home.serve().await;
    assert_eq!(offset().await, 1_000, "nothing that was acknowledged is lost");
    let rest = client().patch(home.url(&clip)).header("upload-offset", 1_000);
    let rest = rest.header("content-type", "application/offset+octet-stream").body(film[1_000..].to_vec());
    assert_eq!(tus(rest).await.status().as_u16(), 204);
    let ready = eventually("the clip is ready", PREPARED, async || {
        let shown = home.json(&["clip", "show", "film.mp4"]);
        Ok::<_, anyhow::Error>((shown["state"] == "ready").then_some(shown))
    });
    let (ready, _) = ready.await.expect("it is");
    assert_eq!(ready["renditions"][0]["ready"], true, "{ready}");
}

#[tokio::test]
async fn clip_is_added_beside_the_running_service() {
    let home = Home::new();
    film(&home);
    let _service = home.serve().await;
    let added = home.json(&["clip", "add", "film.mp4", "--name", "Intro.mp4"]);
    assert_eq!((&added["name"], &added["state"]), (&"Intro.mp4".into(), &"ready".into()), "{added}");
    let text = home.ok(&["clip", "show", "Intro.mp4"]);
    assert!(text.contains("prepared    1280x720, 30 fps: 1.5 s"), "{text}");
    let listed = home.ok(&["clip", "list"]);
    assert!(listed.contains("Intro.mp4") && listed.contains("ready"), "{listed}");
    std::fs::write(home.dir.path().join("text.mp4"), "no film").expect("written");
    let refused = home.run(&["clip", "add", "text.mp4"]);
    assert!(refused.code != Some(0) && refused.err.contains("cannot be read as video"), "{}", refused.err);
    home.ok(&["clip", "remove", "Intro.mp4"]);
    assert!(home.refused(&["clip", "show", "Intro.mp4"]).contains("does not exist"));
    assert!(home.refused(&["clip", "add", "absent.mp4"]).contains("absent.mp4 cannot be read"));
}

#[tokio::test]
async fn interrupted_clip_add_continues_where_it_was() {
    let home = Home::new().prepared();
    let film = film(&home);
    let begun = home.json(&["clip", "add", "film.mp4", "--no-wait"]);
    assert_eq!((&begun["state"], &begun["size"]), (&"queued".into(), &Value::from(film.len())));
    // Nobody prepares it. A complete upload is not taken for an incomplete one: the file is added again.
    let again = home.json(&["clip", "add", "film.mp4", "--no-wait"]);
    assert_ne!(again["id"], begun["id"]);
    assert_eq!(home.json(&["clip", "list"])["count"], 2);
}

#[tokio::test]
async fn killed_clip_add_continues_at_the_last_acknowledged_byte() {
    let home = Home::new().prepared();
    let file = home.dir.path().join("large.mp4");
    let content: Vec<u8> = (0..32 * 1024 * 1024_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&file, &content).expect("written");
    let database = format!("sqlite://{}", home.dir.path().join("streamward.db").display());
    let mut database = SqliteConnection::connect(&database).await.expect("opened");
    let mut stored = async || {
        let clip = sqlx::query_as::<_, (String, i64)>("SELECT state, COALESCE(upload_offset, 0) FROM clips");
        clip.fetch_optional(&mut database).await.expect("read")
    };

    let add = ["clip", "add", "large.mp4", "--no-wait"];
    let mut adding = Process::start("add", &mut home.command(&add), home.dir.path()).expect("it starts");
    let begun = Instant::now();
    loop {
        match stored().await {
            Some((state, offset)) if offset > 0 => {
                adding.kill();
                assert_eq!(state, "uploading");
                break;
            }
            Some((state, _)) => assert_eq!(state, "uploading", "it was added before it could be killed"),
            None => assert!(begun.elapsed() < PREPARED && adding.exit_status().is_none(), "{}", adding.log()),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (state, offset) = stored().await.expect("it is stored");
    assert!(
        state == "uploading" && offset > 0 && offset < i64::try_from(content.len()).expect("small"),
        "{state} at {offset}"
    );

    // With other bytes of the same number, so that it shows which of them were uploaded again.
    let other: Vec<u8> = content.iter().map(|byte| byte ^ 1).collect();
    std::fs::write(&file, &other).expect("written");
    home.ok(&add);
    let list = home.json(&["clip", "list"]);
    assert_eq!((&list["count"], &list["clips"][0]["state"]), (&1.into(), &"queued".into()));
    let id = list["clips"][0]["id"].as_str().expect("an id");
    let uploaded = std::fs::read(home.dir.path().join("media/uploads").join(id)).expect("the upload");
    let offset = usize::try_from(offset).expect("small");
    assert_eq!(uploaded.len(), content.len());
    assert!(uploaded[..offset] == content[..offset], "what was acknowledged is kept");
    assert!(uploaded[offset..] == other[offset..], "the rest is that of the second time");
}
