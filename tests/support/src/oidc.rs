//! A stand-in for a provider of OpenID Connect. It signs real tokens, with RSA (RS256) or P-256 (ES256).
//!
//! ```ignore
//! let provider = OidcStub::start().await;
//! provider.set(|world| world.claims = json!({"sub": "1", "groups": ["tv"]}));
//! let query = provider.authorize(location_of_the_redirect);
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::kick::{OTHER_TEST_KEY, TEST_KEY, TestKey};

/// Our name at the stand-in.
pub const CLIENT_ID: &str = "streamward";
/// Our password there. Its signs must be encoded.
pub const CLIENT_SECRET: &str = "client secret/+:%";

/// A key that signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// RS256.
    Rsa,
    /// RS256 with another key.
    OtherRsa,
    /// ES256.
    Ec,
}

/// What the stand-in does.
pub struct World {
    /// What it says of whoever signs in next.
    pub claims: Value,
    /// What the ID token says instead of the right values; `null` leaves a claim out.
    pub wrong: Value,
    /// What the user info says besides.
    pub userinfo: Option<Value>,
    /// What signs.
    pub signer: Signer,
    /// The name under which it signs, if it lies.
    pub alias: Option<Signer>,
    /// The keys that it publishes.
    pub published: Vec<Signer>,
    /// The present time, in seconds.
    pub now: i64,
    /// Answers nothing but 500.
    pub is_down: bool,
    /// Names another issuer.
    pub is_another: bool,
    /// The calls, by path.
    pub calls: Vec<String>,
    codes: BTreeMap<String, Begun>,
    tokens: u64,
}

/// A sign-in that waits for its code to be exchanged.
#[derive(Clone)]
struct Begun {
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

struct Shared {
    issuer: String,
    world: Mutex<World>,
    ec: EcdsaKeyPair,
}

/// A stand-in on a port of its own. Stops when dropped.
pub struct OidcStub {
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OidcStub {
    /// Starts one. Its time is `now`, in seconds.
    ///
    /// # Panics
    /// If there is no port.
    pub async fn start(now: i64) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let ec = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key");
        let ec = EcdsaKeyPair::from_pkcs8(kind, ec.as_ref(), &random).expect("a key");
        let world = World {
            claims: json!({}),
            wrong: json!({}),
            userinfo: None,
            signer: Signer::Rsa,
            alias: None,
            published: vec![Signer::Rsa],
            now,
            is_down: false,
            is_another: false,
            calls: vec![],
            codes: BTreeMap::new(),
            tokens: 0,
        };
        let shared = Arc::new(Shared { issuer: format!("http://{address}"), world: Mutex::new(world), ec });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { shared, _server: server }
    }

    /// Its issuer.
    pub fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// Reads or changes what it does.
    pub fn set<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.shared.world())
    }

    /// Signs a person in who was sent to `location`, and returns the address that they are sent back to.
    ///
    /// # Panics
    /// If the request is not one of the code flow with PKCE.
    pub fn authorize(&self, location: &str) -> String {
        let (endpoint, query) = location.split_once('?').expect("a query");
        assert_eq!(endpoint, format!("{}/authorize", self.issuer()));
        let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!((query["response_type"].as_str(), query["client_id"].as_str()), ("code", CLIENT_ID));
        assert_eq!(query["code_challenge_method"], "S256");
        assert!(query["scope"].split(' ').any(|scope| scope == "openid"), "{}", query["scope"]);
        let begun = Begun {
            nonce: query["nonce"].clone(),
            challenge: query["code_challenge"].clone(),
            redirect_uri: query["redirect_uri"].clone(),
        };
        let mut world = self.shared.world();
        world.tokens += 1;
        let code = format!("code-{}", world.tokens);
        let mut back = form_urlencoded::Serializer::new(String::new());
        back.append_pair("code", &code).append_pair("state", &query["state"]);
        back.append_pair("iss", self.issuer());
        let address = format!("{}?{}", begun.redirect_uri, back.finish());
        world.codes.insert(code, begun);
        address
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut world = shared.world();
    world.calls.push(uri.path().to_owned());
    if world.is_down {
        return json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({}));
    }
    let issuer = &shared.issuer;
    let (status, body) = match uri.path() {
        "/.well-known/openid-configuration" => {
            let named = if world.is_another { "https://evil.example" } else { issuer };
            let mut document = json!({
                "issuer": named,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/jwks"),
            });
            if world.userinfo.is_some() {
                document["userinfo_endpoint"] = json!(format!("{issuer}/userinfo"));
            }
            (StatusCode::OK, document)
        }
        "/jwks" => {
            // A key of a kind that nobody knows must hide no others.
            let mut keys = vec![json!({"kty": "NEW", "kid": "new"})];
            keys.extend(world.published.iter().map(|signer| shared.jwk(*signer)));
            (StatusCode::OK, json!({"keys": keys}))
        }
        "/token" => shared.token(&mut world, &headers, &body),
        "/userinfo" => {
            let shown = headers.get("authorization").and_then(|value| value.to_str().ok());
            match (shown, &world.userinfo) {
                (Some("Bearer access"), Some(more)) => (StatusCode::OK, more.clone()),
                _ => (StatusCode::UNAUTHORIZED, json!({})),
            }
        }
        _ => (StatusCode::NOT_FOUND, json!({})),
    };
    json_answer(status, &body)
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    let answer = Response::builder().status(status).header("content-type", "application/json");
    answer.body(Body::from(body.to_string())).expect("an answer")
}

impl Shared {
    /// Exchanges a code, once.
    fn token(&self, world: &mut World, headers: &HeaderMap, body: &[u8]) -> (StatusCode, Value) {
        let refused = |error: &str| (StatusCode::BAD_REQUEST, json!({"error": error}));
        let form: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(CLIENT_ID), encoded(CLIENT_SECRET));
        let shown = headers.get("authorization").and_then(|value| value.to_str().ok());
        if shown != Some(format!("Basic {}", STANDARD.encode(pair)).as_str()) {
            return refused("invalid_client");
        }
        let value = |name: &str| form.get(name).cloned().unwrap_or_default();
        let Some(begun) = world.codes.remove(&value("code")) else { return refused("invalid_grant") };
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, value("code_verifier").as_bytes()));
        if challenge != begun.challenge
            || value("redirect_uri") != begun.redirect_uri
            || value("grant_type") != "authorization_code"
        {
            return refused("invalid_grant");
        }
        let id_token = self.id_token(world, &begun);
        (StatusCode::OK, json!({"access_token": "access", "token_type": "Bearer", "id_token": id_token}))
    }

    fn id_token(&self, world: &World, begun: &Begun) -> String {
        let mut claims = Map::new();
        let now = world.now;
        for part in [
            &json!({"iss": self.issuer, "aud": CLIENT_ID, "exp": now + 300, "iat": now, "nonce": begun.nonce}),
            &world.claims,
            &world.wrong,
        ] {
            claims.extend(part.as_object().cloned().unwrap_or_default());
        }
        claims.retain(|_, value| !value.is_null());
        let jwk = self.jwk(world.signer);
        let kid = format!("{:?}", world.alias.unwrap_or(world.signer));
        let header = json!({"alg": jwk["alg"], "kid": kid});
        let [header, claims] =
            [header, Value::Object(claims)].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        let signature = match world.signer.rsa() {
            Some(key) => key.sign(message.as_bytes()),
            None => {
                self.ec.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature").as_ref().to_vec()
            }
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn jwk(&self, signer: Signer) -> Value {
        let kid = format!("{signer:?}");
        if let Some(key) = signer.rsa() {
            let [n, e] = key.public().map(|part| URL_SAFE_NO_PAD.encode(part));
            return json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e});
        }
        let point = self.ec.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..65]].map(|part| URL_SAFE_NO_PAD.encode(part));
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": kid, "x": x, "y": y})
    }
}

impl Signer {
    fn rsa(self) -> Option<TestKey> {
        match self {
            Self::Rsa => Some(TEST_KEY),
            Self::OtherRsa => Some(OTHER_TEST_KEY),
            Self::Ec => None,
        }
    }
}
