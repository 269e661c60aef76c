//! An answer, and assertions about it.

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) request: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Checks what holds for every answer.
    pub(crate) fn check(&self, path: &str) {
        let id = self.header("x-request-id");
        assert!(!id.is_empty() && id.len() <= 128, "{self:?}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self:?}");
        if self.status.is_success() || self.status.is_redirection() {
            return;
        }
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        if self.request.starts_with("HEAD") {
            return;
        }
        let problem = self.json();
        // Behind a proxy, addresses begin with `http.base_path`.
        let (base, slug) = problem["type"].as_str().and_then(|kind| kind.split_once("/problems/")).unzip();
        let kind = slug.and_then(streamward::adapters::http::ProblemType::by_slug);
        let kind = kind.unwrap_or_else(|| panic!("unknown problem type: {self:?}"));
        assert_eq!(kind.status, self.status.as_u16(), "{self:?}");
        assert_eq!(problem["status"], self.status.as_u16(), "{self:?}");
        assert_eq!(problem["title"], kind.title, "{self:?}");
        let instance = problem["instance"].as_str().unwrap_or_default();
        // A secret in the path is masked.
        let below = format!("{}{path}", base.unwrap_or_default());
        assert!(instance == path || instance == below || instance.contains("***"), "{self:?}");
        assert_eq!(problem["request_id"], id, "{self:?}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.len() > 10, "the detail is too short: {self:?}");
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => assert!(!self.header("allow").is_empty(), "{self:?}"),
            StatusCode::SERVICE_UNAVAILABLE => assert!(!self.header("retry-after").is_empty(), "{self:?}"),
            StatusCode::UNAUTHORIZED => assert!(!self.header("www-authenticate").is_empty(), "{self:?}"),
            StatusCode::BAD_REQUEST => {
                let errors = problem["errors"].as_array().expect("errors of a bad request");
                for error in errors {
                    let field = error["field"].as_str().expect("a field");
                    assert!(detail.contains(field), "the detail does not name the field: {self:?}");
                    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
                }
            }
            _ => {}
        }
    }

    #[track_caller]
    pub(crate) fn assert_status(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// The problem type is this one.
    #[track_caller]
    pub(crate) fn assert_problem(self, slug: &str) -> Self {
        assert_eq!(self.json()["type"], format!("/problems/{slug}"), "{self:?}");
        self
    }

    /// The status is 400, and exactly these fields are named.
    #[track_caller]
    pub(crate) fn assert_refuses(self, fields: &[&str]) -> Self {
        assert_eq!(self.status.as_u16(), 400, "{self:?}");
        let json = self.json();
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        let named: Vec<&str> = errors.iter().filter_map(|error| error["field"].as_str()).collect();
        assert_eq!(named, fields, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body, if it is JSON.
    pub(crate) fn json_or_null(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A text in the body, by its JSON pointer.
    #[track_caller]
    pub(crate) fn text(&self, pointer: &str) -> String {
        let json = self.json();
        let text = json.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no text at {pointer}: {self:?}")).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|v| v.to_str().expect("text").to_owned()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} → {}\n{:#?}\n{body}", self.request, self.status, self.headers)
    }
}
