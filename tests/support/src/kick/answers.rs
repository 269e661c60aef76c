//! The answers of the stand-in for Kick, in the shapes that Kick's documentation and recordings show.

use axum::body::Body;
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

use super::ReceivedRequest;
use super::world::{Fault, Person, Subscribed, World};

/// The number of ids from which `/channels` is half false.
const LYING_FROM: usize = 50;

/// The name of an endpoint.
pub(super) fn endpoint(path: &str) -> &'static str {
    match path {
        "/oauth/token" => "token",
        "/public/v1/channels" => "channels",
        "/public/v1/livestreams" => "livestreams",
        "/public/v2/livestreams" => "livestreams_v2",
        "/public/v1/events/subscriptions" => "subscriptions",
        "/public/v1/public-key" => "public_key",
        _ if path.starts_with("/api/v2/channels/") => "site",
        _ => "unknown",
    }
}

fn json(status: u16, body: &Value) -> Response {
    text(status, "application/json", body.to_string())
}

fn text(status: u16, kind: &str, body: String) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(status).expect("a status"))
        .header("content-type", kind)
        .body(Body::from(body))
        .expect("an answer")
}

fn ok(data: Value) -> Response {
    json(200, &json!({"data": data, "message": "OK"}))
}

fn refuse(status: u16, data: &str, message: &str) -> Response {
    json(status, &json!({"data": data, "message": message}))
}

/// A faulty answer.
pub(super) fn faulty(fault: &Fault) -> Response {
    match fault {
        Fault::Unauthorised => refuse(401, "", "Unauthorized"),
        Fault::TooMany(retry_after) => {
            let mut answer = refuse(429, "", "Too Many Requests");
            if let Some(value) = retry_after {
                answer.headers_mut().insert("retry-after", value.parse().expect("a header"));
            }
            answer
        }
        Fault::Error(status, body) => text(*status, "text/plain", body.clone()),
        Fault::Body(body) => text(200, "application/json", body.clone()),
        Fault::Slow(_) => unreachable!("a slow answer is the right one"),
    }
}

/// The right answer.
pub(super) fn right(world: &mut World, method: &Method, uri: &Uri, request: &ReceivedRequest) -> Response {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let query: Vec<(String, String)> = pairs.into_owned().collect();
    match (method, request.endpoint) {
        (&Method::POST, "token") => token(world, &request.body),
        (&Method::GET, "public_key") => ok(json!({"public_key": world.public_key})),
        (&Method::GET, "site") => site(world, uri.path()),
        (_, "token" | "public_key" | "site" | "unknown") => refuse(404, "", "Not Found"),
        _ if !knows(world, request) => refuse(401, "", "Unauthorized"),
        (&Method::GET, "channels") => channels(world, &query),
        (&Method::GET, "livestreams") if world.livestreams_v1 => livestreams(world, &query, false),
        (&Method::GET, "livestreams_v2") if world.livestreams_v2 => livestreams(world, &query, true),
        (&Method::GET, "subscriptions") => subscriptions(world),
        (&Method::POST, "subscriptions") => subscribe(world, &request.body),
        (&Method::DELETE, "subscriptions") => unsubscribe(world, &query),
        _ => refuse(404, "", "Not Found"),
    }
}

fn knows(world: &World, request: &ReceivedRequest) -> bool {
    let shown = request.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
    shown.is_some_and(|token| world.tokens.contains(token))
}

fn token(world: &mut World, body: &str) -> Response {
    let form: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let has = |name: &str, value: &str| form.iter().any(|(key, given)| key == name && given == value);
    if !has("grant_type", "client_credentials") {
        return json(400, &json!({"error": "unsupported_grant_type"}));
    }
    if !has("client_id", &world.client_id) || !has("client_secret", &world.client_secret) {
        // Repeats the request, as bad servers do.
        return json(
            401,
            &json!({"error": "invalid_client", "error_description": format!("bad client: {body}")}),
        );
    }
    world.tokens_given += 1;
    let token = format!("stub-token-{}", world.tokens_given);
    world.tokens.insert(token.clone());
    json(200, &json!({"access_token": token, "token_type": "Bearer", "expires_in": world.expires_in}))
}

fn values<'a>(query: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
}

fn channels(world: &World, query: &[(String, String)]) -> Response {
    let (slugs, users) = (values(query, "slug"), values(query, "broadcaster_user_id"));
    if slugs.len() + users.len() > LYING_FROM || (!slugs.is_empty() && !users.is_empty()) {
        return refuse(400, "invalid parameters", "Bad Request");
    }
    let by_slug = slugs.iter().map(|slug| world.people.iter().find(|(_, person)| person.slug == **slug));
    let by_user = users.iter().map(|user| world.people.iter().find(|(id, _)| id.to_string() == **user));
    let found: Vec<Option<(&u64, &Person)>> = by_slug.chain(by_user).collect();
    if world.unknown_spoils && found.iter().any(Option::is_none) {
        return refuse(400, "channel not found", "Bad Request");
    }
    let lies = world.half_false && found.len() >= LYING_FROM;
    let mut live = 0;
    let items = found.into_iter().flatten().map(|(user, person)| {
        live += u32::from(person.live.is_some());
        let shown = person.live.is_some() && !(lies && live % 2 == 0);
        channel(*user, person, shown)
    });
    ok(items.collect())
}

fn channel(user: u64, person: &Person, shown: bool) -> Value {
    let live = person.live.as_ref().filter(|_| shown);
    json!({
        "broadcaster_user_id": user, "slug": person.slug, "banner_picture": "", "channel_description": "",
        "category": {"id": 15, "name": live.map_or("", |live| live.category.as_str()), "thumbnail": ""},
        "stream": {
            "is_live": live.is_some(), "is_mature": false, "key": "", "language": live.map_or("", |_| "en"),
            "start_time": live.map_or("0001-01-01T00:00:00Z", |live| live.started_at.as_str()),
            "thumbnail": "", "url": "", "viewer_count": live.map_or(0, |live| live.viewers), "custom_tags": []
        },
        "stream_title": live.map_or("", |live| live.title.as_str()), "active_subscribers_count": 0,
    })
}

fn livestreams(world: &World, query: &[(String, String)], second: bool) -> Response {
    let users = values(query, "broadcaster_user_id");
    let asked_about = |user: &u64| users.is_empty() || users.contains(&user.to_string().as_str());
    let all = world.people.iter().filter(|(user, _)| asked_about(user));
    let all = all.filter_map(|(user, person)| Some((user, person, person.live.as_ref()?)));
    let mut items: Vec<Value> = all
        .map(|(user, person, live)| {
            let mut item = json!({
                "broadcaster_user_id": user, "channel_id": person.channel, "slug": person.slug,
                "started_at": live.started_at, "stream_title": live.title, "viewer_count": live.viewers,
                "category": {"id": 15, "name": live.category, "thumbnail": ""}, "language": "en",
                "has_mature_content": false, "thumbnail": "", "profile_picture": "", "custom_tags": []
            });
            if second {
                item["id"] = json!(live.id.to_string());
            }
            item
        })
        .collect();
    if !second {
        return ok(Value::Array(items));
    }
    let from: usize = values(query, "cursor").first().and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let rest = items.split_off(from.min(items.len()));
    let page: Vec<Value> = rest.iter().take(world.page).cloned().collect();
    let next = if rest.len() > page.len() { (from + page.len()).to_string() } else { String::new() };
    json(200, &json!({"data": page, "message": "OK", "pagination": {"next_cursor": next}}))
}

fn site(world: &World, path: &str) -> Response {
    let slug = path.rsplit('/').next().unwrap_or_default();
    let Some((user, person)) = world.people.iter().find(|(_, person)| person.slug == slug) else {
        return json(404, &json!({"message": "Not Found"}));
    };
    json(
        200,
        &json!({"id": person.channel, "user_id": user, "slug": slug, "is_banned": false, "livestream": null,
            "chatroom": {"id": person.chatroom, "channel_id": person.channel}}),
    )
}

fn subscriptions(world: &World) -> Response {
    let item = |one: &Subscribed| {
        json!({"id": one.id, "app_id": "stub-app", "broadcaster_user_id": one.user, "event": one.event, "version": 1,
            "method": "webhook", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})
    };
    ok(world.subscriptions.iter().map(item).collect())
}

fn subscribe(world: &mut World, body: &str) -> Response {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let user = body["broadcaster_user_id"].as_u64().unwrap_or_default();
    let event = body["events"][0]["name"].as_str().unwrap_or_default().to_owned();
    if world.subscriptions.len() >= world.subscription_limit {
        return refuse(400, "event subscription limit reached", "Bad request");
    }
    if world.unsubscribable.contains(&user) {
        return ok(json!([{"name": event, "version": 1, "error": "broadcaster not found"}]));
    }
    world.made += 1;
    let id = format!("sub-{}", world.made);
    world.subscriptions.push(Subscribed { id: id.clone(), user, event: event.clone() });
    ok(json!([{"name": event, "version": 1, "subscription_id": id, "error": ""}]))
}

fn unsubscribe(world: &mut World, query: &[(String, String)]) -> Response {
    let ids = values(query, "id");
    if ids.is_empty() || ids.len() > 50 {
        return refuse(400, "invalid ids", "Bad Request");
    }
    world.subscriptions.retain(|one| !ids.contains(&one.id.as_str()));
    text(204, "application/json", String::new())
}
