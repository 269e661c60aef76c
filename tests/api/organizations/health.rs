//! `/health` names resources: who may read their names.

use serde_json::{Value, json};
use streamward::domain::OrganizationId;
use streamward::domain::access::Role;

use super::{OTHER, OWNER, app, member};
use crate::harness::{Caller, Engine};

async fn health(caller: &Caller) -> Value {
    caller.get("/health").await.assert_status(200).json()
}

#[tokio::test]
async fn names_of_all_organizations_are_for_callers_of_the_installation() {
    let app = app(Engine::Memory).await;
    crate::studios::stored(&app).await;
    let all = health(&app.as_viewer()).await;
    let problems = all["studios"]["problems"].as_array().expect("problems").clone();
    assert!(problems.iter().any(|problem| problem["studio"] == "main"), "there is something to hide: {all}");
    assert_eq!(all["hidden"], Value::Null);
    let others = [
        app.as_nobody(),
        member(&app, OWNER, Role::Admin).await,
        member(&app, OTHER, Role::Viewer).await,
        member(&app, OrganizationId::DEFAULT, Role::Admin).await,
    ];
    for other in others {
        let seen = health(&other).await;
        assert_eq!((&seen["status"], &seen["database"]), (&json!("ok"), &json!("ok")));
        assert_eq!((&seen["studios"]["problems"], &seen["workers"]), (&json!([]), &json!([])));
        assert_eq!(seen["studios"]["configured"], all["studios"]["configured"]);
        assert_eq!(seen["hidden"]["problems"], problems.len());
        assert!(!seen.to_string().contains("main"), "{seen}");
    }
}

#[tokio::test]
async fn with_one_organization_nothing_is_hidden() {
    let app = crate::studios::app(Engine::Memory).await;
    crate::studios::stored(&app).await;
    let (all, seen) = (health(&app.as_admin()).await, health(&app.as_nobody()).await);
    assert_eq!((&seen["studios"], &seen["hidden"]), (&all["studios"], &Value::Null));
    assert!(seen["studios"]["problems"].as_array().is_some_and(|problems| !problems.is_empty()), "{seen}");
}
