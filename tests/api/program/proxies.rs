//! Real proxies in front, with the files of `deploy/`: TLS, a path, events that are not held back.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rcgen::CertifiedKey;
use streamward_test_support::ports;
use streamward_test_support::process::{Process, eventually};

use super::{Home, SOON};

const BASE: &str = "https://tv.example.org/streamward";

/// What a browser beside the proxy at `port` is.
fn browser(certificate: &Path, port: u16) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = std::fs::read(certificate).expect("a certificate");
    let root = reqwest::Certificate::from_pem(&pem).expect("a certificate");
    let address = ([127, 0, 0, 1], port).into();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20));
    client.tls_certs_only([root]).resolve("tv.example.org", address).build().expect("a client")
}

fn deployed(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
    std::fs::read_to_string(path).expect("a text")
}

/// The service behind a proxy, and the files of a certificate.
async fn world() -> (Home, Process, u16) {
    let home = Home::new().with("HTTP__PUBLIC_URL", BASE).with("HTTP__TRUSTED_PROXIES", "127.0.0.1");
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["tv.example.org".to_owned()]).expect("a certificate");
    std::fs::write(home.dir.path().join("fullchain.pem"), cert.pem()).expect("written");
    std::fs::write(home.dir.path().join("privkey.pem"), signing_key.serialize_pem()).expect("written");
    let service = home.serve().await;
    (home, service, ports::free().expect("a port"))
}

/// Everything that a proxy can break.
async fn works_behind(home: &Home, port: u16) {
    let browser = browser(&home.dir.path().join("fullchain.pem"), port);
    let url =
        |path: &str| format!("{BASE}{path}").replace("tv.example.org", &format!("tv.example.org:{port}"));
    eventually("the proxy answers", SOON, async || {
        Ok(browser.get(url("/health")).send().await?.status().is_success().then_some(()))
    })
    .await
    .expect("it answers");
    let front = browser.get(url("/")).send().await.expect("an answer");
    assert!(front.url().path() == "/streamward/ui/", "{front:?}");
    let front = front.text().await.expect("a text");
    let style =
        front.split('"').find(|text| text.ends_with(".css")).expect("a style").trim_start_matches('.');
    let style = browser.get(url(&format!("/ui{style}"))).send().await.expect("an answer");
    assert!(style.status().is_success(), "{style:?}");
    let page = browser.get(url("/docs")).send().await.expect("an answer").text().await.expect("a text");
    let links: Vec<&str> =
        page.split('"').filter(|text| text.ends_with(".js") || text.ends_with(".css")).collect();
    assert!(links.len() >= 4, "{page}");
    for link in links {
        let answer = browser.get(url("").replace("/streamward", link)).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{link}: {}", answer.status());
    }
    let token = home.admin_token();
    let made = browser
        .post(url("/broadcasters"))
        .bearer_auth(&token)
        .json(&serde_json::json!({"display_name": "A"}));
    let made = made.send().await.expect("an answer");
    let location = made.headers()["location"].to_str().expect("a text").to_owned();
    assert!(location.starts_with("/streamward/broadcasters/"), "{location}");
    let read = browser.get(url("").replace("/streamward", &location)).bearer_auth(&token).send().await;
    assert_eq!(read.expect("an answer").status(), 200);

    // The one-time link of the first start, a password, and a session, as a person in a browser.
    let log = home.log();
    let link = log.split_whitespace().find(|word| word.contains("/link#")).expect("it is printed");
    let secret = link.strip_prefix(&format!("{BASE}/link#")).expect("an address of the proxy");
    let secret = secret.strip_suffix("&first").expect("the first one");
    let origin = "https://tv.example.org";
    let person =
        serde_json::json!({"link": secret, "email": "ada@example.org", "password": "correct horse battery"});
    let redeemed =
        browser.post(url("/link")).header("origin", origin).json(&person).send().await.expect("an answer");
    assert_eq!(redeemed.status(), 200);
    let person = serde_json::json!({"email": "ada@example.org", "password": "correct horse battery"});
    let signed_in = browser.post(url("/session")).header("origin", origin).json(&person).send().await;
    let signed_in = signed_in.expect("an answer");
    assert_eq!(signed_in.status(), 201);
    let cookie = signed_in.headers()["set-cookie"].to_str().expect("a text").to_owned();
    assert!(cookie.contains("; Path=/streamward;") && cookie.ends_with("; Secure"), "{cookie}");

    // An event arrives at once.
    let mut events = browser.get(url("/streams/events")).bearer_auth(&token).send().await.expect("an answer");
    assert_eq!(events.status(), 200);
    let first = tokio::time::timeout(Duration::from_secs(5), events.chunk()).await;
    assert!(first.expect("not held back").expect("a chunk").is_some());
}

#[tokio::test]
async fn everything_works_behind_nginx_below_a_path() {
    let (home, _service, port) = world().await;
    let dir = home.dir.path().display().to_string();
    let server = deployed("nginx/streamward.conf")
        .replace("listen 443", &format!("listen 127.0.0.1:{port}"))
        .replace("/etc/ssl/streamward", &dir)
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", home.port));
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders: String = folders.map(|name| format!("{name}_temp_path {dir}/{name};\n")).concat();
    let config = format!(
        "daemon off;\nuser root;\npid {dir}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}{server}}}\n"
    );
    let file = home.dir.path().join("nginx.conf");
    std::fs::write(&file, config).expect("written");
    let mut command = Command::new("nginx");
    command.arg("-p").arg(home.dir.path()).arg("-c").arg(&file).arg("-e").arg("stderr");
    let mut nginx = Process::start("nginx", &mut command, home.dir.path()).expect("nginx: run .ci/setup");
    works_behind(&home, port).await;
    nginx.terminate(SOON).await.expect("it stops");
}

#[tokio::test]
async fn everything_works_behind_caddy_below_a_path() {
    let (home, _service, port) = world().await;
    let dir = home.dir.path().display().to_string();
    let site = deployed("caddy/Caddyfile")
        .replace(
            "tv.example.org {",
            &format!("tv.example.org:{port} {{\n\ttls {dir}/fullchain.pem {dir}/privkey.pem"),
        )
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", home.port));
    let file = home.dir.path().join("Caddyfile");
    std::fs::write(&file, format!("{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}"))
        .expect("written");
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
    command.env("HOME", &dir).env("XDG_DATA_HOME", &dir).env("XDG_CONFIG_HOME", &dir);
    let mut caddy = Process::start("caddy", &mut command, home.dir.path()).expect("it starts");
    works_behind(&home, port).await;
    caddy.terminate(SOON).await.expect("it stops");
}

#[tokio::test]
#[ignore = "needs Traefik 3: TRAEFIK_BIN=… cargo test --test api behind_traefik -- --ignored"]
async fn everything_works_behind_traefik_below_a_path() {
    let program = std::env::var("TRAEFIK_BIN").expect("TRAEFIK_BIN is the path of Traefik");
    let (home, _service, port) = world().await;
    let dir = home.dir.path().display().to_string();
    let entry = deployed("traefik/traefik.yml")
        .replace(":443", &format!("127.0.0.1:{port}"))
        .replace("/etc/traefik", &dir)
        .replace("/var/lib/traefik", &dir);
    // Let's Encrypt cannot be asked here: the certificate is a file.
    let routes = deployed("traefik/streamward.yml")
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", home.port))
        .replace("      tls:\n        certResolver: letsencrypt\n", "      tls: {}\n");
    let certificate = format!(
        "tls:\n  certificates:\n    - certFile: {dir}/fullchain.pem\n      keyFile: {dir}/privkey.pem\n"
    );
    let (entry, resolvers) = entry.split_once("certificatesResolvers:").expect("the last section");
    assert!(resolvers.contains("tlsChallenge"), "{resolvers}");
    let file = home.dir.path().join("traefik.yml");
    std::fs::write(&file, entry).expect("written");
    std::fs::write(home.dir.path().join("streamward.yml"), format!("{routes}{certificate}"))
        .expect("written");
    let mut command = Command::new(program);
    command.arg(format!("--configFile={}", file.display()));
    let mut traefik = Process::start("traefik", &mut command, home.dir.path()).expect("it starts");
    works_behind(&home, port).await;
    traefik.terminate(SOON).await.expect("it stops");
}
