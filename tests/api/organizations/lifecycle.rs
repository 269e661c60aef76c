//! The life of an organization, and what crosses its border: nothing.

use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::OrganizationId;
use streamward::domain::access::Role;

use super::{OTHER, OWNER, app, member};
use crate::harness::{Engine, Reader, TestApp, every_engine};

#[apply(every_engine)]
#[tokio::test]
async fn organization_is_created_renamed_and_deleted_with_its_tokens(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let admin = app.as_admin();
    let made = admin.post("/organizations").json(json!({"name": "Rescue"})).await.assert_status(201);
    let path = made.header("location");
    assert_eq!(path, format!("/organizations/{}", made.text("/id")));
    let same = admin.post("/organizations").json(json!({"name": "rescue"})).await;
    same.assert_status(409).assert_problem("organization-taken");
    admin.post("/organizations").json(json!({})).await.assert_refuses(&["name"]);
    let renamed = admin.patch(&path).json(json!({"name": "Rescue Team"})).await.assert_status(200);
    assert_eq!(admin.get(&path).await.json(), renamed.json());
    let listed = admin.get("/organizations").await.assert_status(200).json();
    assert_eq!((&listed["count"], &listed["organizations"][0]), (&json!(2), &renamed.json()));

    let id: OrganizationId = made.text("/id").parse().expect("an id");
    let team = member(&app, id, Role::Admin).await;
    let owner = team.post("/broadcasters").json(json!({"display_name": "A"})).await.assert_status(201);
    admin.delete(&path).await.assert_status(409).assert_problem("organization-in-use");
    team.delete(&owner.header("location")).await.assert_status(204);
    admin.delete(&path).await.assert_status(204);
    admin.delete(&path).await.assert_status(404);
    team.get("/broadcasters").await.assert_status(401);

    let first = format!("/organizations/{}", OrganizationId::DEFAULT);
    admin.delete(&first).await.assert_status(409).assert_problem("organization-in-use");
    let audited = app.audit("resource_type=organization").await;
    let words: Vec<(&str, &str)> = audited
        .iter()
        .filter_map(|entry| Some((entry["action"].as_str()?, entry["outcome"].as_str()?)))
        .collect();
    let expected = [
        ("delete", "failure"),
        ("delete", "failure"),
        ("delete", "success"),
        ("delete", "failure"),
        ("update", "success"),
        ("create", "failure"),
        ("create", "failure"),
        ("create", "success"),
    ];
    assert_eq!(words, expected);
}

#[apply(every_engine)]
#[tokio::test]
async fn without_organizations_everything_belongs_to_the_first_one(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "s1").await;
    let first = json!(OrganizationId::DEFAULT);
    assert_eq!(stream["organization_id"], first);
    let found = app.as_viewer().get(&format!("/stream-keys/{}", key.id)).await.json();
    assert_eq!(found["organization_id"], first);
    let tokens = app.as_admin().get("/api-tokens").await.json();
    assert_eq!(tokens["api_tokens"][0].get("organization_id"), None, "of the installation");
}

#[apply(every_engine)]
#[tokio::test]
async fn references_do_not_cross_organizations(#[case] engine: Engine) {
    let app = app(engine).await;
    let (owner, other) = (member(&app, OWNER, Role::Admin).await, member(&app, OTHER, Role::Admin).await);
    let broadcaster = owner.post("/broadcasters").json(json!({"display_name": "Alice"})).await.text("/id");
    let draft = json!({"broadcaster_id": broadcaster, "path": "live/alice"});
    other.post("/stream-keys").json(draft.clone()).await.assert_status(404);
    owner.post("/stream-keys").json(draft).shown_once().await.assert_status(201);

    // Who takes a path says nothing of who has it.
    let theirs = other.post("/broadcasters").json(json!({"display_name": "Bob"})).await.text("/id");
    let same_path = json!({"broadcaster_id": theirs, "path": "live/alice"});
    let taken =
        other.post("/stream-keys").json(same_path).await.assert_status(409).assert_problem("path-taken");
    let said = String::from_utf8_lossy(&taken.body).into_owned();
    for secret in [OWNER.to_string(), broadcaster, "Owner".to_owned(), "Alice".to_owned()] {
        assert!(!said.contains(&secret), "{said}");
    }

    // A clip of one organization in the playlist of another, also by who may use both.
    let clip = crate::channels::new_clip(&app).await;
    let channel = owner.post("/channels").json(json!({"name": "Temple"})).shown_once().await;
    let channel = format!("/channels/{}", channel.assert_status(201).text("/id"));
    let playlist = json!({"inputs": {"backup": {"playlist": {"clips": [clip]}}}});
    for caller in [&owner, &app.as_admin()] {
        let refused = caller.patch(&channel).json(playlist.clone()).await.assert_status(400);
        assert!(refused.text("/detail").contains(&clip), "{refused:?}");
    }

    // The key of a destination is not compared for others.
    let draft = json!({"name": "YouTube", "platform": "youtube", "key": "secret-key"});
    let destinations = format!("{channel}/destinations");
    owner.post(&destinations).json(draft.clone()).await.assert_status(201);
    owner.post(&destinations).json(draft.clone()).await.assert_refuses(&["key"]);
    other.post(&destinations).json(draft).await.assert_status(404);
}

#[apply(every_engine)]
#[tokio::test]
async fn reader_of_events_sees_those_of_its_organization(#[case] engine: Engine) {
    let app = app(engine).await;
    let (owner, other) = (member(&app, OWNER, Role::Admin).await, member(&app, OTHER, Role::Admin).await);
    let mut of_owner = Reader::open(owner.get("/streamers/events")).await;
    let mut of_other = Reader::open(other.get("/streamers/events")).await;
    owner.post("/streamers").json(json!({"username": "one"})).await.assert_status(201);
    other.post("/streamers").json(json!({"username": "two"})).await.assert_status(201);
    let name = |data: &Value| data["streamer"]["username"].as_str().unwrap_or_default().to_owned();
    assert_eq!(name(&of_owner.next().await.data), "one");
    assert_eq!(name(&of_other.next().await.data), "two");
    // From the log.
    let resumed = other.get("/streamers/events").header("last-event-id", "0");
    assert_eq!(name(&Reader::open(resumed).await.next().await.data), "two");
}

#[apply(every_engine)]
#[tokio::test]
async fn audit_log_names_the_organization_and_shows_it_its_own(#[case] engine: Engine) {
    let app = app(engine).await;
    let (owner, other) = (member(&app, OWNER, Role::Admin).await, member(&app, OTHER, Role::Admin).await);
    let made = owner.post("/broadcasters").json(json!({"display_name": "Alice"})).await.assert_status(201);
    let path = made.header("location");
    // By somebody of the installation, and a refusal.
    app.as_admin().patch(&path).json(json!({"display_name": "B"})).await.assert_status(200);
    other.delete(&path).await.assert_status(404);
    let entries = |log: Value| -> Vec<(String, String)> {
        let entries = log["audit_logs"].as_array().cloned().unwrap_or_default();
        let of_broadcaster = entries.into_iter().filter(|entry| entry["resource_type"] == "broadcaster");
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        of_broadcaster.map(|entry| (text(&entry, "action"), text(&entry, "organization_id"))).collect()
    };
    let [all, owners, others] =
        [app.as_admin(), owner, other].map(|caller| async move { caller.get("/audit-logs").await.json() });
    let said = |action: &str, of: OrganizationId| (action.to_owned(), of.to_string());
    let expected = [said("delete", OTHER), said("update", OWNER), said("create", OWNER)];
    assert_eq!(entries(all.await), expected);
    assert_eq!(entries(owners.await), expected[1..]);
    assert_eq!(entries(others.await), expected[..1]);
}

#[apply(every_engine)]
#[tokio::test]
async fn publish_decision_is_audited_for_the_owner_of_the_key(#[case] engine: Engine) {
    let app = app(engine).await;
    let (owner, other) = (member(&app, OWNER, Role::Admin).await, member(&app, OTHER, Role::Admin).await);
    let broadcaster = owner.post("/broadcasters").json(json!({"display_name": "A"})).await.text("/id");
    let draft = json!({"broadcaster_id": broadcaster, "path": "live/a"});
    let made = owner.post("/stream-keys").json(draft).shown_once().await.assert_status(201);
    let key = crate::harness::Key {
        id: made.text("/id"),
        secret: made.text("/key_value"),
        path: made.text("/path"),
        broadcaster,
    };
    app.request_publish(&key, "s1").await.assert_status(200);
    let count = |log: crate::harness::Answer| log.json()["pagination"]["total"].as_u64().filter(|n| *n > 0);
    app.until(|| owner.get("/audit-logs?action=publish"), count).await;
    assert_eq!(other.get("/audit-logs?action=publish").await.json()["pagination"]["total"], 0);
}
