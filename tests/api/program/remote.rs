//! Commands against another machine: the same output, over the API.

use std::sync::Arc;

use axum::http::StatusCode;
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Ended, Home, client, nowhere};

/// A machine without a database, whose commands go to `server`.
fn beside(server: &Home, token: &str) -> Home {
    let home = Home::new().with("URL", &server.url("")).with("TOKEN", token);
    std::fs::write(home.dir.path().join("token"), format!("{token}\n")).expect("written");
    home
}

fn token(server: &Home, role: &str) -> String {
    let made = server.json(&["token", "create", role, "--role", role]);
    made["token"].as_str().expect("a token").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resources_are_managed_on_another_machine_as_on_this_one() {
    let server = Home::new();
    let _service = server.serve().await;
    let admin = server.admin_token();
    let laptop = beside(&server, &admin);
    laptop.ok(&["organization", "create", "Rescue"]);
    laptop.ok(&["broadcaster", "create", "Alice", "--metadata", r#"{"team": 7}"#]);
    let key = laptop.json(&["key", "create", "--broadcaster", "Alice", "--expires-in", "2h"]);
    assert_eq!((&key["path"], &key["status"]), (&"live/alice".into(), &"active".into()));
    let rotated = laptop.ok(&["key", "rotate", "live/alice"]);
    assert!(
        rotated.contains("OBS: Settings, Stream") && rotated.contains("/live/alice/index.m3u8"),
        "{rotated}"
    );
    laptop.ok(&["token", "create", "dash", "--role", "viewer", "--organization", "rescue"]);
    laptop.ok(&["user", "create", "ada@example.org", "--role", "viewer"]);
    laptop.ok(&["streamer", "add", "alice", "bob"]);
    laptop.ok(&["streamer", "pause", "bob"]);
    laptop.ok(&["channel", "create", "Temple", "--min-bitrate", "500"]);
    laptop.ok(&[
        "channel",
        "update",
        "Temple",
        "--min-bitrate",
        "0",
        "--profile",
        "1280x720@25",
        "--disable",
    ]);
    std::fs::write(laptop.dir.path().join("platform-key"), "platform-key-4711").expect("written");
    let to = ["--url", "rtmp://example.org/app", "--key-file", "platform-key"];
    // The address of the destination and of the machine have one name: the variable has the machine.
    laptop.ok(&[&["destination", "add", "Temple", "custom"], &to[..]].concat());
    let file = laptop.dir.path().join("film.mp4");
    std::fs::write(&file, vec![7; 9 * 1024 * 1024]).expect("written");
    let clip = laptop.json(&["clip", "add", "film.mp4", "--no-wait"]);
    assert_eq!((&clip["name"], &clip["size"]), (&"film.mp4".into(), &(9 * 1024 * 1024).into()));
    for command in [
        &["organization", "list"][..],
        &["broadcaster", "show", "Alice"],
        &["key", "list"],
        &["key", "show", "live/alice"],
        &["token", "list"],
        &["user", "show", "ada@example.org"],
        &["streamer", "list"],
        &["channel", "list"],
        &["destination", "list", "Temple"],
        &["stream", "list", "--status", "all"],
        &["audit", "list", "--resource-type", "stream_key"],
    ] {
        assert_eq!(laptop.ok(command), server.ok(command), "{command:?}");
        assert_eq!(laptop.json(command), server.json(command), "{command:?}");
    }
    let shown = laptop.json(&["channel", "show", "Temple"]);
    assert_eq!(shown["failover"]["min_bitrate_kbps"], Value::Null);
    assert_eq!((&shown["profile"]["video"]["fps"], &shown["status"]["running"]), (&25.into(), &false.into()));
    let done = laptop.json(&["audit", "list", "--action", "rotate"]);
    assert_eq!(done["audit_logs"][0]["actor"], "token:first start");
    laptop.ok(&["broadcaster", "delete", "Alice"]);
    assert!(!server.ok(&["key", "list"]).contains("live/alice"));
    assert!(!laptop.dir.path().join("streamward.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_another_machine_have_their_exit_codes() {
    let server = Home::new();
    let _service = server.serve().await;
    let admin = token(&server, "admin");
    let laptop = beside(&server, &admin);
    let code = |home: &Home, arguments: &[&str], code: i32, words: &str| {
        let Ended { code: found, err, out } = home.run(arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {out}{err}");
        assert!(err.contains(words) && !err.contains(&admin), "{arguments:?}: {err}");
        assert_eq!(err.trim().lines().count(), 1, "{err}");
    };
    code(&laptop, &["broadcaster", "create", ""], 2, "display_name");
    code(&laptop, &["broadcaster", "show", "Bob"], 3, "streamward broadcaster create Bob");
    code(&laptop, &["key", "create", "--broadcaster", "Bob B."], 3, "broadcaster create 'Bob B.'");
    laptop.ok(&["broadcaster", "create", "Alice"]);
    laptop.ok(&["key", "create", "--broadcaster", "Alice"]);
    code(&laptop, &["key", "create", "--broadcaster", "Alice", "--path", "live/alice"], 5, "path");
    let viewer = beside(&server, &token(&server, "viewer"));
    code(&viewer, &["broadcaster", "create", "Eve"], 4, "role admin");
    code(&beside(&server, "swt_nonsense"), &["stream", "list"], 4, "token");
    let gone = Home::new().with("URL", &format!("http://{}", nowhere())).with("TOKEN", "swt_x");
    code(&gone, &["stream", "list"], 6, "cannot be reached");
    for command in [&["studio", "list"][..], &["doctor"], &["serve"], &["kick", "status"], &["config"]] {
        code(&laptop, command, 2, "works on this machine only");
    }
    let url = server.url("/");
    let bare = Home::new();
    code(&bare, &["stream", "list", "--url", &url], 2, "STREAMWARD_TOKEN");
    code(&bare, &["stream", "list", "--url", "ftp://x", "--token-file", "t"], 2, "--url");
    code(&bare, &["stream", "list", "--url", &url, "--token-file", "absent"], 2, "absent cannot be read");
    std::fs::write(bare.dir.path().join("t"), format!("{admin}\n")).expect("written");
    bare.ok(&["stream", "list", "--url", &url, "--token-file", "t"]);
    let web = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let place = format!("http://{}", web.local_addr().expect("an address"));
    let mut tasks = JoinSet::new();
    let page = axum::Router::new().fallback(|| async { (StatusCode::OK, "a web page") });
    tasks.spawn(async move { axum::serve(web, page).await });
    let arguments = ["stream", "list", "--url", &place, "--token-file", "t"];
    code(&bare, &arguments, 6, "is not from Streamward");
}

/// TLS in front of `server`. Returns its port and the certificate of its authority.
async fn tls(server: &Home, tasks: &mut JoinSet<()>) -> (u16, String) {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("valid");
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let authority = parameters.self_signed(&key).expect("signed").pem();
    let issuer = rcgen::Issuer::new(parameters, key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let names = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("valid");
    let certificate = names.signed_by(&key, &issuer).expect("signed");
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            )
            .expect("valid");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (port, to) = (listener.local_addr().expect("an address").port(), server.port);
    tasks.spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(mut client) = acceptor.accept(client).await else { continue };
            let mut server = TcpStream::connect(("127.0.0.1", to)).await.expect("connected");
            let _ = copy_bidirectional(&mut client, &mut server).await;
        }
    });
    (port, authority)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_needs_a_trusted_certificate() {
    let server = Home::new();
    let _service = server.serve().await;
    let mut tasks = JoinSet::new();
    let (port, authority) = tls(&server, &mut tasks).await;
    let home =
        Home::new().with("URL", &format!("https://localhost:{port}")).with("TOKEN", &server.admin_token());
    let refused = home.run(&["stream", "list"]);
    assert_eq!(refused.code, Some(6), "{}", refused.err);
    assert!(refused.err.contains("--ca-file"), "{}", refused.err);
    std::fs::write(home.dir.path().join("ca.pem"), authority).expect("written");
    assert_eq!(home.json(&["stream", "list", "--ca-file", "ca.pem"])["count"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_is_in_no_argument_and_no_log_of_the_server() {
    let server = Home::new().with("LOG__LEVEL", "debug").with("LOG__FORMAT", "json");
    let _service = server.serve().await;
    let admin = token(&server, "admin");
    let laptop = beside(&server, &admin);
    let help = laptop.ok(&["key", "list", "--help"]);
    assert!(help.contains("--token-file") && !help.contains("--token <"), "{help}");
    laptop.ok(&["broadcaster", "list"]);
    assert!(!server.log().contains(&admin));
    // A caller over HTTP cannot pass as the command line of the machine.
    let call = client().post(server.url("/broadcasters")).header("x-local-caller", "cli");
    assert_eq!(call.send().await.expect("an answer").status(), 401);
}
