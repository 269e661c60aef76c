//! Organizations: each sees and touches what it owns, on every route.

mod health;
mod lifecycle;
mod routes;
mod table;

use serde_json::json;
use streamward::domain::OrganizationId;
use streamward::domain::access::{Actor, Role, Scope};
use streamward::domain::audit::AuditEntry;
use streamward::domain::organization::{Organization, OrganizationName};
use streamward::domain::{AuditId, Timestamp};
use streamward::ports::{Change, IdGen as _};

use crate::harness::{Caller, Engine, Setup, Shows, TestApp};

/// The organization that owns what the tests are about. The configuration of the studio `main` names it.
pub(crate) const OWNER: OrganizationId =
    OrganizationId(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0aaa));
/// Another one.
pub(crate) const OTHER: OrganizationId =
    OrganizationId(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0bbb));

/// An application with two organizations beside the first one, and the studio `main` of [`OWNER`].
pub(crate) async fn app(engine: Engine) -> TestApp {
    let studios = crate::studios::setup().studios.into_iter().map(|mut studio| {
        if studio.name == crate::studios::name("main") {
            studio.organization_id = OWNER;
        }
        studio
    });
    let app = TestApp::with(engine, Setup { studios: studios.collect(), ..Setup::default() }).await;
    let (store, _) = app.place.open().await;
    for (id, name) in [(OWNER, "Owner"), (OTHER, "Other")] {
        let (at, name) = (Timestamp::from_seconds(1), OrganizationName::parse(name).expect("a name"));
        let one = Organization { id, name, created_at: at, updated_at: at };
        let audit_id = AuditId(streamward::adapters::system::SystemIds.uuid());
        let entry = AuditEntry::of(audit_id, at, &Actor::cli("test"), "create", "organization");
        let scope = Scope::system();
        store.create_organization(&one, Change::new(&scope, &entry)).await.expect("stored");
    }
    app
}

/// A client with a token of this organization.
pub(crate) async fn member(app: &TestApp, of: OrganizationId, role: Role) -> Caller {
    let draft = json!({"name": format!("{role} of {of}"), "role": role.as_str(), "organization_id": of});
    let made = app.as_admin().post("/api-tokens").json(draft).shown_once().await.assert_status(201);
    assert_eq!(made.text("/organization_id"), of.to_string());
    app.showing(Shows::Bearer(made.text("/token")))
}
