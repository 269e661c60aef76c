//! Route × role × organization: every operation of the API has a row in the table, and does what the row says.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use streamward::domain::OrganizationId;
use streamward::domain::access::{Actor, Role, Scope};
use streamward::domain::audit::AuditEntry;
use streamward::domain::auth_failure::{AuthFailure, RefusedAttempt};
use streamward::domain::channel::{Rehearsal, RehearsalId, RehearsalState};
use streamward::domain::studio::{Drill, DrillId, DrillKind, DrillState};
use streamward::domain::{AuditId, Timestamp};
use streamward::ports::{Change, IdGen as _};

use super::table::{About, ROWS, Row, WITHOUT_ROLES};
use super::{OTHER, OWNER, app, member};
use crate::document::operations;
use crate::harness::{Answer, Call, Caller, Engine, TestApp};

const ROLES: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

/// The clients: of the installation, of the owner, and of another organization, each with the three roles.
struct Clients {
    installation: Vec<Caller>,
    owner: Vec<Caller>,
    other: Vec<Caller>,
}

impl Clients {
    async fn new(app: &TestApp) -> Self {
        let (mut owner, mut other) = (vec![], vec![]);
        for role in ROLES {
            owner.push(member(app, OWNER, role).await);
            other.push(member(app, OTHER, role).await);
        }
        Self { installation: ROLES.map(|role| app.as_role(role)).into(), owner, other }
    }
}

fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("u{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What the owner has, made anew for each call, because calls may remove it.
struct Owned<'a>(&'a TestApp);

impl Owned<'_> {
    async fn made(&self, path: &str, draft: serde_json::Value) -> String {
        let mut draft = draft;
        draft["organization_id"] = json!(OWNER);
        self.0.as_admin().post(path).json(draft).shown_once().await.assert_status(201).text("/id")
    }

    async fn broadcaster(&self) -> String {
        self.made("/broadcasters", json!({"display_name": "Alice"})).await
    }

    /// A key: its id, secret and path.
    async fn key(&self) -> crate::harness::Key {
        let broadcaster = self.broadcaster().await;
        let draft = json!({"broadcaster_id": broadcaster, "path": format!("live/{}", unique())});
        let made = self.0.as_admin().post("/stream-keys").json(draft).shown_once().await.assert_status(201);
        assert_eq!(made.text("/organization_id"), OWNER.to_string());
        let (id, secret, path) = (made.text("/id"), made.text("/key_value"), made.text("/path"));
        crate::harness::Key { id, secret, path, broadcaster }
    }

    async fn stream(&self) -> String {
        let stream = self.0.live(&self.key().await, &unique()).await;
        assert_eq!(stream["organization_id"], OWNER.to_string());
        stream["id"].as_str().expect("an id").to_owned()
    }

    async fn clip(&self) -> String {
        let begun = upload(self.0.as_admin().post("/clips"), Some(OWNER)).await.assert_status(201);
        begun.header("location").rsplit('/').next().expect("an id").to_owned()
    }

    async fn rehearsal(&self, channel: &str) -> String {
        let id = RehearsalId(streamward::adapters::system::SystemIds.uuid());
        let rehearsal = Rehearsal {
            id,
            channel: channel.parse().expect("an id"),
            cut_live_for_seconds: 1,
            state: RehearsalState::Requested,
            created_at: Timestamp::from_seconds(1),
            started_at: None,
            ended_at: None,
            report: None,
            error: None,
        };
        let (store, _) = self.0.place.open().await;
        let (scope, entry) = (Scope::system(), entry());
        store.create_rehearsal(&rehearsal, Change::new(&scope, &entry)).await.expect("stored");
        id.to_string()
    }

    async fn auth_failure(&self) {
        let attempt =
            RefusedAttempt { organization_id: Some(OWNER), ..RefusedAttempt::of_cause("wrong_path") };
        let at = Timestamp::from_seconds(1);
        let (store, _) = self.0.place.open().await;
        store.record_auth_failures(&[AuthFailure::new(attempt, (at, at), 1)], 10).await.expect("stored");
    }

    async fn user(&self) -> String {
        let draft = json!({"email": format!("{}@example.org", unique())});
        self.0.as_admin().post("/users").json(draft).await.assert_status(201).text("/id")
    }

    async fn drill(&self) -> String {
        let (store, studio) = crate::studios::stored(self.0).await;
        if let Some(open) = store.open_drill(studio).await.expect("read") {
            return open.id.to_string();
        }
        let id = DrillId(streamward::adapters::system::SystemIds.uuid());
        let drill = Drill {
            id,
            studio,
            kind: DrillKind::ObsHang,
            state: DrillState::Requested,
            by: "ann".into(),
            created_at: Timestamp::from_seconds(1),
            started_at: None,
            ended_at: None,
            report: None,
            error: None,
        };
        let (scope, entry) = (Scope::system(), entry());
        store.create_drill(&drill, Change::new(&scope, &entry)).await.expect("stored");
        id.to_string()
    }

    /// The path with the ids of resources that the owner has.
    async fn path(&self, path: &str) -> String {
        let resource = path.split('/').nth(1).unwrap_or_default();
        let mut filled = path.replace("{name}", "main");
        if path == "/auth-failures" {
            self.auth_failure().await;
        }
        if filled.contains("{id}") {
            let id = match resource {
                "organizations" => {
                    let draft = json!({"name": unique()});
                    self.0.as_admin().post("/organizations").json(draft).await.assert_status(201).text("/id")
                }
                "api-tokens" => self.made("/api-tokens", json!({"name": "x", "role": "viewer"})).await,
                "playback-tokens" => {
                    self.made("/playback-tokens", json!({"paths": ["live/*"], "ttl_seconds": 60})).await
                }
                "broadcasters" => self.broadcaster().await,
                "stream-keys" => self.key().await.id,
                "streams" => self.stream().await,
                "streamers" => self.made("/streamers", json!({"username": unique()})).await,
                "channels" => self.made("/channels", json!({"name": unique()})).await,
                "clips" => self.clip().await,
                "notifications" => {
                    // Nothing listens there.
                    let draft = json!({"name": unique(), "kind": "webhook", "target": "http://127.0.0.1:9/"});
                    self.made("/notifications", draft).await
                }
                "users" => self.user().await,
                other => panic!("how is a resource of /{other} made?"),
            };
            filled = filled.replace("{id}", &id);
            if filled.contains("{destination_id}") {
                let draft = json!({"name": "YouTube", "platform": "youtube", "key": "secret-key"});
                let made = self.0.as_admin().post(&format!("/channels/{id}/destinations")).json(draft).await;
                filled = filled.replace("{destination_id}", &made.assert_status(201).text("/id"));
            }
            if filled.contains("{rehearsal_id}") {
                filled = filled.replace("{rehearsal_id}", &self.rehearsal(&id).await);
            }
        }
        filled = filled.replace("{delivery_id}", "01900000-0000-7000-8000-000000000002");
        filled = filled.replace("{session_id}", "01900000-0000-7000-8000-000000000001");
        if filled.contains("{drill_id}") {
            filled = filled.replace("{drill_id}", &self.drill().await);
        }
        filled
    }
}

fn entry() -> AuditEntry {
    let id = AuditId(streamward::adapters::system::SystemIds.uuid());
    AuditEntry::of(id, Timestamp::from_seconds(1), &Actor::cli("test"), "create", "test")
}

/// The call with the headers of the upload protocol.
fn upload(call: Call, owner: Option<OrganizationId>) -> Call {
    let mut metadata = format!("filename {}", STANDARD.encode("a.mp4"));
    if let Some(owner) = owner {
        metadata = format!("{metadata},organization_id {}", STANDARD.encode(owner.to_string()));
    }
    call.header("tus-resumable", "1.0.0")
        .header("upload-length", "5")
        .header("upload-offset", "0")
        .header("upload-metadata", &metadata)
        .header("x-http-method-override", "DELETE")
        .header("content-type", "application/offset+octet-stream")
}

/// Calls the operation for a resource of the owner. `owner` is named as the owner of a new resource.
async fn call(app: &TestApp, row: &Row, client: &Caller, owner: Option<OrganizationId>) -> Answer {
    let (method, path) = row.operation.split_once(' ').expect("a method and a path");
    let path = Owned(app).path(path).await;
    let call = client.call(method.parse::<Method>().expect("a method"), &path).shown_once();
    if path.starts_with("/clips") {
        return upload(call, owner).body(row.body).await;
    }
    if row.body.is_empty() {
        return call.await;
    }
    let mut body = row.body.replace("{unique}", &unique());
    if body.contains("{broadcaster}") {
        body = body.replace("{broadcaster}", &Owned(app).broadcaster().await);
    }
    let mut body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    if let Some(owner) = owner {
        body["organization_id"] = json!(owner);
    }
    call.json(body).await
}

/// What a new resource says of its owner.
async fn owner_of(app: &TestApp, made: &Answer) -> Option<String> {
    let body = match made.header("location") {
        path if path.starts_with("/clips") => app.as_admin().get(&path).await.json(),
        _ => made.json(),
    };
    body["organization_id"].as_str().map(str::to_owned)
}

async fn check(app: &TestApp, clients: &Clients, row: &Row) {
    let Row { operation, about, role: needed, status, .. } = row;
    if *about == About::Events {
        return check_events(clients, row).await;
    }
    for (n, role) in ROLES.into_iter().enumerate() {
        let (installation, owner, other) = (&clients.installation[n], &clients.owner[n], &clients.other[n]);
        let answer = call(app, row, installation, None).await;
        let refused = Some(role) < *needed;
        let expected = match about {
            _ if refused => 403,
            About::Person if role != Role::Admin => 404,
            _ => *status,
        };
        assert_eq!(answer.status.as_u16(), expected, "{operation}, installation, {role}: {answer:?}");
        if *about == About::Creation && !refused {
            let first = Some(OrganizationId::DEFAULT.to_string());
            // A token of the installation, and a report, belong to no organization.
            let of_all = ["/api-tokens", "/playback-tokens", "/notifications", "/audit-events"]
                .iter()
                .any(|one| operation.contains(one));
            assert_eq!(owner_of(app, &answer).await, first.filter(|_| !of_all), "{operation}: {answer:?}");
        }

        let answer = call(app, row, owner, None).await;
        let expected = match about {
            _ if refused => 403,
            About::Installation => 403,
            About::Person => 404,
            _ => *status,
        };
        assert_eq!(answer.status.as_u16(), expected, "{operation}, owner, {role}: {answer:?}");
        let names_owner = String::from_utf8_lossy(&answer.body).contains(&OWNER.to_string());
        match about {
            About::List if !refused => assert!(names_owner, "{operation}: its own are missing: {answer:?}"),
            About::Creation if !refused => {
                assert_eq!(owner_of(app, &answer).await, Some(OWNER.to_string()), "{operation}: {answer:?}");
            }
            _ => {}
        }

        let answer = call(app, row, other, None).await;
        let names_owner = String::from_utf8_lossy(&answer.body).contains(&OWNER.to_string());
        assert!(!names_owner, "{operation}, other, {role}: {answer:?}");
        let expected = match about {
            _ if refused => 403,
            About::Installation => 403,
            About::One | About::Person => 404,
            About::List | About::Several | About::Creation | About::Events | About::Question => *status,
        };
        assert_eq!(answer.status.as_u16(), expected, "{operation}, other, {role}: {answer:?}");
        if *about == About::Creation && !refused {
            assert_eq!(owner_of(app, &answer).await, Some(OTHER.to_string()), "{operation}: {answer:?}");
            check_named_owner(app, row, other).await;
        }
    }
}

/// A resource cannot be given to an organization that the caller does not belong to.
async fn check_named_owner(app: &TestApp, row: &Row, other: &Caller) {
    // A report says nothing of its owner.
    if row.operation.contains("/audit-events") {
        return;
    }
    let refused = call(app, row, other, Some(OWNER)).await;
    refused.assert_status(400).assert_refuses(&["organization_id"]);
    let unknown = OrganizationId(uuid::Uuid::from_u128(7));
    call(app, row, &app.as_admin(), Some(unknown)).await.assert_refuses(&["organization_id"]);
}

async fn check_events(clients: &Clients, row: &Row) {
    let path = row.operation.trim_start_matches("GET ");
    for caller in clients.installation.iter().chain(&clients.owner).chain(&clients.other) {
        assert_eq!(caller.get(path).open().await.status().as_u16(), row.status, "{path}");
    }
}

#[test]
fn every_operation_has_a_row() {
    let mut documented = BTreeSet::new();
    for (method, path, operation) in operations() {
        let name = format!("{method} {path}");
        let row = ROWS.iter().find(|row| row.operation == name);
        assert!(
            row.is_some() || WITHOUT_ROLES.contains(&name.as_str()),
            "{name} has no row in tests/api/organizations/table.rs: say whose it is"
        );
        let role = operation["x-role"].as_str();
        assert_eq!(role, row.and_then(|row| row.role).map(Role::as_str), "{name}: the documented role");
        documented.insert(name);
    }
    let rows = ROWS.iter().map(|row| row.operation).chain(WITHOUT_ROLES.iter().copied());
    let rows: Vec<String> = rows.map(str::to_owned).collect();
    assert_eq!(rows.len(), documented.len(), "one row for each");
    assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), documented, "no row without an operation");
}

#[tokio::test]
async fn every_operation_keeps_to_role_and_organization() {
    let app = app(Engine::Memory).await;
    let clients = Clients::new(&app).await;
    // Something of the owner is in each list.
    let owned = Owned(&app);
    for path in [
        "/streams/{id}",
        "/streamers/{id}",
        "/channels/{id}",
        "/clips/{id}",
        "/api-tokens/{id}",
        "/playback-tokens/{id}",
        "/notifications/{id}",
    ] {
        owned.path(path).await;
    }
    for row in ROWS {
        check(&app, &clients, row).await;
    }
}
