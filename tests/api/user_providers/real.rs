//! The same with a real provider: `oidc-provider` of npm, run by node. `OIDC_PROVIDER_DIR` names the folder in which
//! `npm install oidc-provider` was run. `cargo test --test api real_provider -- --ignored` runs them.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use url::Url;

use super::{CLIENT_ID, CLIENT_SECRET, app_with, back, begin, cookie};
use crate::harness::{Engine, Shows};

/// Its people are whoever types a name. The name is the e-mail address, and `root` is in another group.
const SCRIPT: &str = r"
import { Provider } from 'oidc-provider';
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
const [id, secret] = [process.env.CLIENT_ID, process.env.CLIENT_SECRET];
const key = (kind, options, alg, kid) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid,
});
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: id, client_secret: secret, id_token_signed_response_alg: process.env.ALG,
      redirect_uris: ['http://streamward.test/session/oidc/company/callback'],
    }],
    jwks: { keys: [
      key('rsa', { modulusLength: 2048 }, 'RS256', 'one'), key('ec', { namedCurve: 'P-256' }, 'ES256', 'two'),
    ] },
    cookies: { keys: ['a key of a test'] },
    claims: { openid: ['sub', 'groups'], email: ['email', 'email_verified'] },
    findAccount: (_, name) => ({
      accountId: name,
      claims: () => ({
        sub: name, email: `${name}@example.org`, email_verified: true,
        groups: name === 'visitor' ? ['everybody'] : ['everybody', 'tv-operators'],
      }),
    }),
  });
  server.on('request', provider.callback());
  console.log(`ISSUER ${issuer}`);
});
";

/// The provider's process.
struct Real {
    _child: Child,
    issuer: String,
}

impl Real {
    async fn start(algorithm: &str) -> Self {
        let dir = std::env::var_os("OIDC_PROVIDER_DIR").expect("OIDC_PROVIDER_DIR names a folder");
        let mut command = Command::new("node");
        command.args(["--input-type=module", "--eval", SCRIPT]).current_dir(dir).kill_on_drop(true);
        command.env("CLIENT_ID", CLIENT_ID).env("CLIENT_SECRET", CLIENT_SECRET).env("ALG", algorithm);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("node starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let issuer = timeout(Duration::from_secs(30), async {
            while let Some(line) = lines.next_line().await.expect("its output") {
                if let Some(issuer) = line.strip_prefix("ISSUER ") {
                    return issuer.to_owned();
                }
            }
            panic!("oidc-provider ended; is it installed in OIDC_PROVIDER_DIR?")
        });
        let issuer = issuer.await.expect("oidc-provider starts in time");
        Self { _child: child, issuer }
    }

    /// Signs in as `name` in a browser, and returns the address that the browser is sent back to.
    async fn sign_in(&self, location: &str, name: &str) -> String {
        let mut browser = Browser::default();
        let mut next = Url::parse(location).expect("an address");
        let mut form: Option<&[(&str, &str)]> = None;
        let (login, consent) =
            ([("prompt", "login"), ("login", name), ("password", "x")], [("prompt", "consent")]);
        let mut forms = [&login[..], &consent[..]].into_iter();
        for _ in 0..12 {
            let answer = browser.open(&next, form.take()).await;
            if answer.status() == StatusCode::OK {
                form = Some(forms.next().expect("a form that is known"));
                continue;
            }
            assert!(answer.status().is_redirection(), "{}: {}", next, answer.status());
            let location = answer.headers()["location"].to_str().expect("text");
            next = next.join(location).expect("an address");
            if next.host_str() == Some("streamward.test") {
                return next.into();
            }
        }
        panic!("the provider sent the browser around in a circle")
    }
}

/// What keeps cookies.
#[derive(Default)]
struct Browser(BTreeMap<String, String>);

impl Browser {
    async fn open(&mut self, url: &Url, form: Option<&[(&str, &str)]>) -> Response {
        let client =
            Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().tls_certs_only([]);
        let client = client.build().expect("a client");
        let cookies: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = match form {
            None => client.get(url.clone()),
            Some(form) => {
                let mut body = form_urlencoded::Serializer::new(String::new());
                body.extend_pairs(form);
                let kind = "application/x-www-form-urlencoded";
                client.post(url.clone()).header("content-type", kind).body(body.finish())
            }
        };
        let answer = request.header("cookie", cookies.join("; ")).send().await.expect("an answer");
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().expect("text").split(';').next().unwrap_or_default();
            // One without a value is removed; a new one of its name has another path.
            if let Some((name, value)) = pair.split_once('=').filter(|(_, value)| !value.is_empty()) {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

/// Signs two people in, of whom one has a role.
async fn signs_in(algorithm: &str) {
    let real = Real::start(algorithm).await;
    let app = app_with(Engine::Sqlite, &real.issuer).await;
    let begun = begin(&app).await;
    let address = real.sign_in(&begun.location, "grace").await;
    let answer = back(&app, &begun.kept, &address).await.assert_status(200);
    let grace = app.showing(Shows::Cookie(cookie(&answer, "streamward_session=").expect("a session")));
    let me = grace.get("/session").await.assert_status(200).json();
    assert_eq!(
        (&me["actor"], &me["roles"][0]["role"]),
        (&json!("user:grace@example.org"), &json!("operator"))
    );
    back(&app, &begun.kept, &address).await.assert_status(401).assert_problem("sign-in-expired");

    let begun = begin(&app).await;
    let address = real.sign_in(&begun.location, "visitor").await;
    back(&app, &begun.kept, &address).await.assert_status(403).assert_problem("no-role");
    // The code belongs to another sign-in, so the provider refuses the verifier.
    let (mine, other) = (begin(&app).await, begin(&app).await);
    let code = |address: &str| {
        let url = Url::parse(address).expect("an address");
        url.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned()
    };
    let stolen = code(&real.sign_in(&other.location, "grace").await);
    let address = real.sign_in(&mine.location, "grace").await;
    let mixed = address.replace(&code(&address), &stolen);
    back(&app, &mine.kept, &mixed).await.assert_status(401).assert_problem("sign-in-refused");
}

#[tokio::test]
#[ignore = "needs OIDC_PROVIDER_DIR, a folder with oidc-provider of npm"]
async fn a_real_provider_signs_people_in_with_rsa() {
    signs_in("RS256").await;
}

#[tokio::test]
#[ignore = "needs OIDC_PROVIDER_DIR, a folder with oidc-provider of npm"]
async fn a_real_provider_signs_people_in_with_elliptic_curves() {
    signs_in("ES256").await;
}
