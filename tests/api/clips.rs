//! Clips: uploads by the tus protocol, and what is made of them by the real ffmpeg.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use rstest_reuse::apply;
use serde_json::Value;
use streamward::domain::access::Role;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tower::ServiceExt as _;

use crate::harness::{Answer, Call, Caller, Engine, Setup, TestApp, every_engine};

const OFFSETS: &str = "application/offset+octet-stream";

/// A short film with a picture and a sound.
static FILM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("film.mp4");
    let arguments =
        "-v error -f lavfi -i testsrc=s=128x96:r=25:d=1.5 -f lavfi -i sine=d=1 -c:v libx264 -c:a aac";
    let made =
        Command::new("ffmpeg").args(arguments.split(' ')).arg(&file).status().expect("ffmpeg is installed");
    assert!(made.success());
    std::fs::read(file).expect("the film")
});

fn creation(caller: &Caller, name: &str, size: u64) -> Call {
    let metadata = format!("filename {},filetype dmlkZW8vbXA0", STANDARD.encode(name));
    caller
        .post("/clips")
        .header("tus-resumable", "1.0.0")
        .header("upload-length", &size.to_string())
        .header("upload-metadata", &metadata)
}

/// Begins an upload; returns its address.
pub(crate) async fn begin(app: &TestApp, name: &str, size: u64) -> String {
    let created = creation(&app.as_operator(), name, size).await.assert_status(201);
    assert_eq!(
        (created.header("tus-resumable"), created.header("upload-offset")),
        ("1.0.0".into(), "0".into())
    );
    created.header("location")
}

fn part(caller: &Caller, clip: &str, offset: u64, bytes: &[u8]) -> Call {
    let call = caller.patch(clip).header("tus-resumable", "1.0.0").header("content-type", OFFSETS);
    call.header("upload-offset", &offset.to_string()).body(bytes)
}

async fn send(app: &TestApp, clip: &str, offset: u64, bytes: &[u8]) -> Answer {
    part(&app.as_operator(), clip, offset, bytes).await
}

/// Where the upload continues.
async fn offset(app: &TestApp, clip: &str) -> u64 {
    let head =
        app.as_operator().call(Method::HEAD, clip).header("tus-resumable", "1.0.0").await.assert_status(200);
    assert_eq!(head.header("cache-control"), "no-store");
    head.header("upload-offset").parse().expect("a number")
}

async fn upload(app: &TestApp, name: &str, bytes: &[u8]) -> String {
    let clip = begin(app, name, bytes.len() as u64).await;
    send(app, &clip, 0, bytes).await.assert_status(204);
    clip
}

/// The clip, as soon as it is prepared or cannot be.
async fn prepared(app: &TestApp, clip: &str) -> Value {
    let mut last = 0.0;
    loop {
        let found = app.as_viewer().get(clip).await.assert_status(200).json();
        let state = found["state"].as_str().expect("a state").to_owned();
        if state == "ready" || state == "failed" {
            return found;
        }
        let progress = found["progress"].as_f64().expect("a number");
        assert!((0.0..=1.0).contains(&progress) && (progress >= last || state != "normalizing"), "{found}");
        last = progress;
        sleep(Duration::from_millis(50)).await;
    }
}

/// The files of clips, below the media folder.
fn files(app: &TestApp) -> BTreeSet<String> {
    fn walk(folder: &std::path::Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                walk(&entry, found);
            } else {
                found.insert(entry.file_name().expect("a name").to_string_lossy().into_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(app.media_dir.path(), &mut found);
    found
}

/// Sends a part whose body is still arriving.
fn send_slowly(
    app: &TestApp,
    clip: &str,
    body: Body,
) -> impl Future<Output = axum::response::Response> + use<> {
    let peer: SocketAddr = "192.0.2.1:50000".parse().expect("an address");
    let request = Request::patch(clip)
        .header("authorization", format!("Bearer {}", app.token(Role::Operator)))
        .header("content-type", OFFSETS)
        .header("upload-offset", "0")
        .extension(ConnectInfo(peer))
        .body(body)
        .expect("a request");
    let router = app.router.clone();
    async move { router.oneshot(request).await.expect("infallible") }
}

#[apply(every_engine)]
#[tokio::test]
async fn upload_is_prepared_listed_and_deleted(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let clip = upload(&app, "Ganga Aarti.mp4", &FILM).await;
    assert_eq!(offset(&app, &clip).await, FILM.len() as u64, "a complete upload is at its end");
    let ready = prepared(&app, &clip).await;
    assert_eq!((&ready["state"], &ready["name"]), (&"ready".into(), &"Ganga Aarti.mp4".into()), "{ready}");
    assert_eq!((ready["progress"].as_f64(), ready["size"].as_u64()), (Some(1.0), Some(FILM.len() as u64)));
    assert_eq!(
        (&ready["probe"]["video"]["width"], &ready["probe"]["audio"]["codec"]),
        (&128.into(), &"aac".into())
    );
    let rendition = &ready["renditions"][0];
    assert_eq!(
        (&rendition["ready"], &rendition["width"], &rendition["fps"]),
        (&true.into(), &1280.into(), &30.into())
    );
    assert!(rendition["duration_ms"].as_u64().is_some_and(|ms| ms.abs_diff(1_500) < 150), "{rendition}");
    let named = |hash: &Value, ending: &str| format!("{}{ending}", hash.as_str().expect("a hash"));
    let expected = [named(&ready["content_hash"], ""), named(&rendition["content_hash"], ".flv")];
    assert_eq!(files(&app), BTreeSet::from(expected), "files are named by their content");

    let list = app.as_viewer().get("/clips").await.assert_status(200).json();
    assert_eq!((&list["count"], &list["clips"][0]), (&1.into(), &ready));
    app.as_operator().delete(&clip).await.assert_status(204);
    app.as_viewer().get(&clip).await.assert_status(404).assert_problem("not-found");
    app.as_operator().call(Method::HEAD, &clip).await.assert_status(404);
    assert_eq!(files(&app), BTreeSet::new());
    let audit = app.as_admin().get("/audit-logs?resource_type=clip").await.json();
    let actions: Vec<_> =
        audit["audit_logs"].as_array().into_iter().flatten().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["delete", "create"], "{audit}");
}

#[apply(every_engine)]
#[tokio::test]
async fn upload_resumes_after_a_cut_connection(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let clip = begin(&app, "film.mp4", FILM.len() as u64).await;
    let arrived = Bytes::copy_from_slice(&FILM[..1_000]);
    let cut = stream::iter([Ok(arrived), Err(io::Error::other("the connection is cut"))]);
    assert_eq!(send_slowly(&app, &clip, Body::from_stream(cut)).await.status().as_u16(), 408);
    assert_eq!(offset(&app, &clip).await, 1_000, "what had arrived is kept");
    let shown = app.as_viewer().get(&clip).await.json();
    assert_eq!((&shown["state"], &shown["uploaded"]), (&"uploading".into(), &1_000.into()));
    let rest = send(&app, &clip, 1_000, &FILM[1_000..]).await.assert_status(204);
    assert_eq!(rest.header("upload-offset"), FILM.len().to_string());
    assert_eq!(prepared(&app, &clip).await["state"], "ready");
}

#[tokio::test]
async fn upload_and_its_preparation_resume_after_a_crash() {
    let mut app = TestApp::on(Engine::Sqlite).await;
    let clip = begin(&app, "film.mp4", FILM.len() as u64).await;
    send(&app, &clip, 0, &FILM[..1_000]).await.assert_status(204);
    app.restart().await;
    let at = offset(&app, &clip).await;
    assert_eq!(at, 1_000);
    send(&app, &clip, at, &FILM[1_000..]).await.assert_status(204);
    // Stopped while it is at work.
    while app.as_viewer().get(&clip).await.json()["state"] == "queued" {
        sleep(Duration::from_millis(1)).await;
    }
    app.restart().await;
    // The lease of the job that died.
    app.clock.advance(Duration::from_secs(61));
    assert_eq!(prepared(&app, &clip).await["state"], "ready");
    assert_eq!(files(&app).len(), 2, "nothing half-made is left");
}

#[tokio::test]
async fn part_at_another_offset_is_refused() {
    let app = TestApp::memory().await;
    let clip = begin(&app, "film.mp4", FILM.len() as u64).await;
    send(&app, &clip, 0, &FILM[..1_000]).await.assert_status(204);
    for wrong in [0, 999, 1_001, u64::MAX] {
        send(&app, &clip, wrong, b"x").await.assert_status(409).assert_problem("upload-offset");
    }
    assert_eq!(offset(&app, &clip).await, 1_000);
    send(&app, &clip, 1_000, &FILM[1_000..]).await.assert_status(204);
    let complete = FILM.len() as u64;
    send(&app, &clip, complete, b"x").await.assert_status(409).assert_problem("upload-offset");
}

#[tokio::test]
async fn every_answer_of_an_upload_follows_the_protocol() {
    let app = TestApp::memory().await;
    let clip = begin(&app, "Ganga Aarti.mp4", 10).await;
    let head = app.as_operator().call(Method::HEAD, &clip).await.assert_status(200);
    assert_eq!(head.header("upload-metadata"), format!("filename {}", STANDARD.encode("Ganga Aarti.mp4")));
    let refused = send(&app, &clip, 5, b"x").await.assert_status(409);
    assert_eq!(refused.header("tus-resumable"), "1.0.0");
    assert!(refused.text("/detail").contains("byte 0"), "{refused:?}");
    let version = app.as_operator().call(Method::HEAD, &clip).header("tus-resumable", "0.2.2").await;
    assert_eq!(version.assert_status(412).header("tus-version"), "1.0.0");
    for (header, value) in [("upload-concat", "partial"), ("upload-defer-length", "1")] {
        let refused = creation(&app.as_operator(), "film.mp4", 10).header(header, value).await;
        assert_eq!(refused.assert_status(400).header("tus-resumable"), "1.0.0", "{header}");
    }
    let ended = app.as_operator().delete(&clip).await.assert_status(204);
    assert_eq!(ended.header("tus-resumable"), "1.0.0");
}

#[tokio::test]
async fn client_that_sends_post_only_continues_and_ends_uploads() {
    let app = TestApp::memory().await;
    let clip = begin(&app, "film.mp4", 10).await;
    let post = |method: &str| app.as_operator().post(&clip).header("x-http-method-override", method);
    let part =
        post("PATCH").header("content-type", OFFSETS).header("upload-offset", "0").body(b"12345").await;
    assert_eq!(part.assert_status(204).header("upload-offset"), "5");
    assert_eq!(offset(&app, &clip).await, 5);
    post("PUT").await.assert_refuses(&["X-HTTP-Method-Override"]);
    app.as_viewer().post(&clip).header("x-http-method-override", "DELETE").await.assert_status(403);
    post("DELETE").await.assert_status(204);
    app.as_operator().call(Method::HEAD, &clip).await.assert_status(404);
}

#[tokio::test]
async fn file_that_is_too_large_is_refused() {
    let app = TestApp::memory().await;
    let ten_gib = 10 * 1024 * 1024 * 1024_u64;
    let refused = creation(&app.as_operator(), "film.mp4", ten_gib + 1).await;
    refused.assert_status(413).assert_problem("too-large");
    creation(&app.as_operator(), "film.mp4", 0).await.assert_refuses(&["Upload-Length"]);
    let clip = begin(&app, "film.mp4", 10).await;
    send(&app, &clip, 0, b"12345").await.assert_status(204);
    send(&app, &clip, 5, b"123456").await.assert_status(413).assert_problem("too-large");
    assert_eq!(offset(&app, &clip).await, 5, "what was acknowledged is kept");
}

#[tokio::test]
async fn clips_that_exceed_the_limit_are_refused_and_leave_nothing() {
    let setup = Setup { configure: |config| config.media.max_bytes = Some(1_000), ..Setup::default() };
    let app = TestApp::with(Engine::Sqlite, setup).await;
    let first = begin(&app, "first.mp4", 600).await;
    let refused = creation(&app.as_operator(), "second.mp4", 401).await;
    refused.assert_status(507).assert_problem("media-full");
    assert_eq!(files(&app).len(), 1);
    app.as_operator().delete(&first).await.assert_status(204);
    begin(&app, "second.mp4", 1_000).await;
}

#[tokio::test]
async fn rendition_that_exceeds_the_limit_waits_for_room() {
    let setup = Setup { configure: |config| config.media.max_bytes = Some(60_000), ..Setup::default() };
    let app = TestApp::with(Engine::Memory, setup).await;
    assert!(FILM.len() < 60_000, "the film is small");
    let clip = upload(&app, "film.mp4", &FILM).await;
    let waiting = loop {
        let found = app.as_viewer().get(&clip).await.json();
        if found["error"].is_string() {
            break found;
        }
        sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(waiting["state"], "queued");
    assert!(waiting["error"].as_str().is_some_and(|error| error.contains("no room")), "{waiting}");
    let file = waiting["content_hash"].as_str().expect("a hash").to_owned();
    assert_eq!(files(&app), BTreeSet::from([file]), "nothing half-made is left");
}

#[tokio::test]
async fn file_that_is_no_media_fails_with_the_reason() {
    let app = TestApp::memory().await;
    for (name, bytes) in
        [("text.mp4", b"This is no film.".as_slice()), ("list.mp4", b"ffconcat version 1.0\nfile a.mp4\n")]
    {
        let clip = upload(&app, name, bytes).await;
        let failed = prepared(&app, &clip).await;
        assert_eq!(failed["state"], "failed", "{failed}");
        let error = failed["error"].as_str().expect("a reason");
        assert!(error.starts_with("the file cannot be read as video: "), "{error}");
        assert!(!error.contains(&*app.media_dir.path().to_string_lossy()), "{error}");
        app.as_operator().delete(&clip).await.assert_status(204);
    }
}

#[tokio::test]
async fn new_request_takes_an_upload_over_from_one_that_hangs() {
    let app = TestApp::on(Engine::Sqlite).await;
    let clip = begin(&app, "film.mp4", FILM.len() as u64).await;
    let (chunks, arriving) = mpsc::channel::<io::Result<Bytes>>(1);
    let body = stream::unfold(arriving, |mut arriving| async { Some((arriving.recv().await?, arriving)) });
    let hanging = send_slowly(&app, &clip, Body::from_stream(body));
    let resumes = async {
        chunks.send(Ok(Bytes::copy_from_slice(&FILM[..500]))).await.expect("it is read");
        // The second is taken when the first is written.
        chunks.send(Ok(Bytes::copy_from_slice(&FILM[500..1_000]))).await.expect("it is read");
        let at = chunks.reserve().await.expect("the second was taken");
        drop(at);
        offset(&app, &clip).await
    };
    let (refused, at) = tokio::join!(hanging, resumes);
    assert_eq!(refused.status().as_u16(), 409);
    assert!(at == 500 || at == 1_000, "{at}");
    let at_byte = usize::try_from(at).expect("small");
    send(&app, &clip, at, &FILM[at_byte..]).await.assert_status(204);
    assert_eq!(prepared(&app, &clip).await["state"], "ready");
}

#[tokio::test]
async fn upload_that_does_not_continue_expires() {
    let app = TestApp::memory().await;
    let clip = begin(&app, "film.mp4", 10).await;
    let expires = send(&app, &clip, 0, b"12345").await.header("upload-expires");
    assert!(expires.ends_with(" GMT"), "{expires}");
    app.clock.advance(Duration::from_secs(2 * 24 * 3_600));
    let refused = send(&app, &clip, 5, b"67890").await.status.as_u16();
    assert!(matches!(refused, 404 | 410), "{refused}");
    while app.as_viewer().get(&clip).await.status.is_success() {
        sleep(Duration::from_millis(20)).await;
    }
    while !files(&app).is_empty() {
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn upload_whose_file_is_not_here_is_gone() {
    let app = TestApp::memory().await;
    let clip = begin(&app, "film.mp4", 10).await;
    send(&app, &clip, 0, b"12345").await.assert_status(204);
    for file in std::fs::read_dir(app.media_dir.path().join("uploads")).expect("a folder") {
        std::fs::remove_file(file.expect("a file").path()).expect("removed");
    }
    app.as_operator().call(Method::HEAD, &clip).await.assert_status(410);
    send(&app, &clip, 5, b"67890").await.assert_status(410).assert_problem("upload-gone");
}

#[tokio::test]
async fn protocol_is_described_and_checked() {
    let app = TestApp::memory().await;
    let options = app.as_nobody().call(Method::OPTIONS, "/clips").await.assert_status(204);
    for (name, value) in [
        ("tus-resumable", "1.0.0"),
        ("tus-version", "1.0.0"),
        ("tus-extension", "creation,termination,expiration"),
        ("tus-max-size", "10737418240"),
    ] {
        assert_eq!(options.header(name), value);
    }
    let caller = app.as_operator();
    caller.post("/clips").await.assert_refuses(&["Upload-Length"]);
    caller.post("/clips").header("upload-length", "5").await.assert_refuses(&["Upload-Metadata"]);
    creation(&caller, "/", 5).await.assert_refuses(&["name"]);
    let old = caller.post("/clips").header("tus-resumable", "0.2.2").await;
    old.assert_status(412).assert_problem("tus-version");
    let clip = begin(&app, "film.mp4", 10).await;
    caller.patch(&clip).header("content-type", OFFSETS).await.assert_refuses(&["Upload-Offset"]);
    let json = caller.patch(&clip).header("upload-offset", "0").json(serde_json::json!({})).await;
    json.assert_status(415).assert_problem("unsupported-media-type");
}

#[tokio::test]
async fn viewers_read_clips_and_operators_write_them() {
    let app = TestApp::memory().await;
    let clip = begin(&app, "film.mp4", 10).await;
    let statuses = async |caller: Caller| {
        let mut statuses = Vec::new();
        for call in [
            caller.get("/clips"),
            caller.get(&clip),
            creation(&caller, "other.mp4", 10),
            caller.call(Method::HEAD, &clip),
            part(&caller, &clip, 0, b""),
            caller.delete("/clips/01890000-0000-7000-8000-000000000000"),
        ] {
            statuses.push(call.await.status.as_u16());
        }
        statuses
    };
    assert_eq!(statuses(app.as_nobody()).await, [401; 6]);
    assert_eq!(statuses(app.as_viewer()).await, [200, 200, 403, 403, 403, 403]);
    for caller in [app.as_operator(), app.as_admin()] {
        assert_eq!(statuses(caller).await, [200, 200, 201, 200, 204, 404]);
    }
}
