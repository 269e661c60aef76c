//! A call of the API: `app.as_admin().post("/broadcasters").json(…).await`.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderName, Method, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use streamward::domain::secret::keyed_hash;
use tower::ServiceExt as _;

use super::answer::Answer;
use super::record::Record;

/// A caller with its credentials.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) router: Router,
    pub(crate) record: Record,
    pub(crate) shows: Shows,
}

/// A caller's credentials.
#[derive(Clone)]
pub(crate) enum Shows {
    Nothing,
    Bearer(String),
    ApiKey(String),
    Signature {
        key_id: String,
        secret: String,
        at: i64,
    },
    /// The cookie of a session, as a browser on a page of this server sends it.
    Cookie(String),
}

/// The host of the test's server.
const HOST: &str = "streamward.test";

impl Caller {
    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub(crate) fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        Call { caller: self.clone(), method, path: path.into(), headers: vec![], body: vec![], secret: false }
    }
}

pub(crate) struct Call {
    caller: Caller,
    method: Method,
    path: String,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
    secret: bool,
}

impl Call {
    #[expect(clippy::needless_pass_by_value, reason = "`json(json!({…}))` reads better")]
    pub(crate) fn json(self, body: Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((HeaderName::from_static(name), value.into()));
        self
    }

    /// The answer contains a secret, and is not recorded.
    pub(crate) fn shown_once(mut self) -> Self {
        self.secret = true;
        self
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        let shows: Vec<(&str, String)> = match &self.caller.shows {
            Shows::Nothing => vec![],
            Shows::Bearer(token) => vec![("authorization", format!("Bearer {token}"))],
            Shows::ApiKey(token) => vec![("x-api-key", token.clone())],
            Shows::Cookie(cookie) => {
                vec![("cookie", cookie.clone()), ("host", HOST.into()), ("origin", format!("http://{HOST}"))]
            }
            Shows::Signature { key_id, secret, at } => {
                let path = self.path.split('?').next().unwrap_or_default();
                let mut message = format!("{}\n{path}\n{at}\n", self.method).into_bytes();
                message.extend_from_slice(&self.body);
                let signature = hex::encode(keyed_hash(secret.as_bytes(), &message));
                vec![
                    ("x-api-key", key_id.clone()),
                    ("x-timestamp", at.to_string()),
                    ("x-signature", signature),
                ]
            }
        };
        for (name, value) in shows {
            request = request.header(name, value);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let peer: SocketAddr = "192.0.2.1:50000".parse().expect("an address");
        request.extension(ConnectInfo(peer)).body(Body::from(self.body.clone())).expect("a request")
    }

    /// Sends it and returns as soon as the answer begins.
    pub(crate) async fn open(self) -> axum::response::Response {
        let request = self.request();
        self.caller.router.oneshot(request).await.expect("infallible")
    }

    async fn send(self) -> Answer {
        let line = format!("{} {}", self.method, self.path);
        let path = self.path.split('?').next().unwrap_or_default().to_owned();
        let (record, secret) = (self.caller.record.clone(), self.secret);
        let (parts, body) = self.open().await.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let answer = Answer { request: line, status: parts.status, headers: parts.headers, body };
        answer.check(&path);
        if !secret {
            record.keep(&answer);
        }
        answer
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
