//! The checked-in documents match the router.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use axum::http::Method;
use serde_json::{Value, json};
use similar::TextDiff;
use streamward::adapters::http::{ProblemType, problems_json};
use streamward::domain::access::Role;
use streamward::runtime::slices::openapi_json;

use crate::harness::{Engine, HOOK_SECRET, TestApp};

const ID: &str = "01890000-0000-7000-8000-000000000000";

/// Fails with the lines that differ.
fn assert_checked_in(name: &str, generated: &str, command: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi").join(name);
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    let difference = difference(&checked_in, generated);
    assert!(
        difference.is_empty(),
        "openapi/{name} differs from the code:\n{difference}If the change is meant:\n    \
         cargo run -- {command} > openapi/{name}"
    );
}

/// As `diff -u` shows it; empty if there is none.
pub(crate) fn difference(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(3).header("checked in", "generated").to_string()
}

#[test]
fn difference_shows_the_changed_lines_only() {
    let old: String = (1..=100).map(|n| format!("line {n}\n")).collect();
    assert_eq!(difference(&old, &old), "");
    let shown = difference(&old, &old.replace("line 50\n", "line fifty\n"));
    assert!(shown.contains("\n-line 50\n+line fifty\n"), "{shown}");
    assert!(shown.lines().count() < 15 && !shown.contains("line 40"), "{shown}");
}

#[test]
fn openapi_document_is_checked_in() {
    assert_checked_in("streamward.json", &openapi_json(), "openapi");
}

#[test]
fn problem_types_are_checked_in() {
    assert_checked_in("problems.json", &problems_json(), "openapi --problems");
}

/// The path with an id in each place.
fn with_ids(path: &str) -> String {
    ["{id}", "{destination_id}", "{rehearsal_id}", "{drill_id}", "{session_id}"]
        .iter()
        .fold(path.to_owned(), |path, id| path.replace(id, ID))
        .replace("{name}", "main")
}

/// All operations of the document: method, path, operation.
pub(crate) fn operations() -> Vec<(Method, String, Value)> {
    let document: Value = serde_json::from_str(&openapi_json()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").clone();
    let mut operations = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("operations") {
            let method = method.to_uppercase().parse().expect("a method");
            operations.push((method, path.clone(), operation.clone()));
        }
    }
    operations
}

/// Clients are generated from the ids: two operations with one id become one function.
#[test]
fn no_two_operations_have_the_same_id() {
    let operations = operations();
    let ids: BTreeSet<&str> =
        operations.iter().filter_map(|(_, _, one)| one["operationId"].as_str()).collect();
    assert_eq!(ids.len(), operations.len());
}

#[test]
fn openapi_document_is_complete() {
    let document: Value = serde_json::from_str(&openapi_json()).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    let text = document.to_string();
    for (method, path, operation) in operations() {
        let place = format!("{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{place}: no summary");
        assert!(operation["responses"]["500"].is_object(), "{place}: a problem is possible anywhere");
        let secured = operation["security"].as_array().is_some_and(|list| !list.is_empty());
        let open = [
            "/health",
            "/livez",
            "/readyz",
            "/.well-known/jwks.json",
            "/openapi.json",
            "/docs",
            "/problems/{slug}",
            "/link",
            "/password-resets",
        ];
        // Kick authenticates with a signature, which is no security scheme of OpenAPI.
        let is_sign_in = path.starts_with("/session/oidc/") || (path == "/session" && method != Method::GET);
        let is_open = open.contains(&path.as_str())
            || path == "/kick/webhook"
            || method == Method::OPTIONS
            || is_sign_in;
        assert_eq!(secured, !is_open, "{place}");
        assert_eq!(
            operation["parameters"].to_string().contains(r#""in":"path""#),
            path.contains('{'),
            "{place}"
        );
    }
    // All references resolve.
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap_or_default();
        assert!(document["components"]["schemas"][name].is_object(), "{name} is missing");
    }
    for kind in ProblemType::all() {
        // Of no operation, since there is none then.
        let of_none = [
            ProblemType::UNKNOWN_ROUTE,
            ProblemType::METHOD_NOT_ALLOWED,
            ProblemType::MALFORMED_REQUEST,
            ProblemType::URI_TOO_LONG,
            ProblemType::HEAD_TOO_LARGE,
        ];
        if of_none.contains(&kind) {
            continue;
        }
        assert!(text.contains(&format!("`{}`", kind.slug)), "no operation has the problem {}", kind.slug);
    }
}

#[tokio::test]
async fn every_documented_route_answers_with_a_documented_status() {
    let app = crate::studios::app(Engine::Memory).await;
    for (method, path, operation) in operations() {
        let mut path = with_ids(&path).replace("{slug}", "validation");
        if ["/events", "/streams/events", "/streamers/events", "/channels/events", "/studios/events"]
            .contains(&path.as_str())
        {
            path.push_str("?last_event_id=x");
        }
        if path.starts_with("/webhook") || path.starts_with("/srs/") || path == "/auth" {
            path = format!("{path}?secret={HOOK_SECRET}");
        }
        for body in [json!({}), json!({"path": "live/x", "display_name": "A", "name": "a", "role": "viewer"})]
        {
            let call = app.as_admin().call(method.clone(), &path);
            let answer = if method == Method::GET { call.await } else { call.json(body).shown_once().await };
            let status = answer.status.as_u16().to_string();
            assert!(operation["responses"][&status].is_object(), "{answer:?}");
            assert_ne!(answer.json_or_null()["type"], "/problems/unknown-route", "{answer:?}");
            assert_ne!(status, "405", "{answer:?}");
        }
    }
}

#[tokio::test]
async fn every_operation_requires_the_role_it_documents() {
    let app = TestApp::memory().await;
    for (method, path, operation) in operations() {
        let Some(role) = operation["x-role"].as_str() else { continue };
        let needed = Role::parse(role).expect("a role");
        assert!(operation["description"].as_str().is_some_and(|text| text.contains(role)), "{method} {path}");
        let path = with_ids(&path).replace("/events", "/events?last_event_id=x");
        for role in [Role::Viewer, Role::Operator, Role::Admin] {
            let answer = app.as_role(role).call(method.clone(), &path).await;
            assert_eq!(answer.status.as_u16() == 403, role < needed, "{role}: {answer:?}");
            assert_ne!(answer.status.as_u16(), 401, "{answer:?}");
        }
        let refused = app.as_nobody().call(method.clone(), &path).await.assert_status(401);
        // An answer to HEAD has no body.
        if method != Method::HEAD {
            refused.assert_problem("unauthenticated");
        }
    }
}
