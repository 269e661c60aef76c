//! The answers of the HTTP API.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use serde_json::{Value, json};

use super::{Shared, Stream, World, head};

/// SRS's number for a client that is not there.
const CLIENT_NOT_FOUND: u64 = 2049;

pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let (hangs, allowed) = {
        let mut world = shared.world();
        world.requests.push(format!("{method} {uri}"));
        (world.hangs, is_allowed(&world, &headers))
    };
    if hangs {
        std::future::pending::<()>().await;
    }
    if !allowed {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({"code": 401}))).into_response();
    }
    let path = uri.path().trim_start_matches("/api/v1/");
    let body = match (&method, path.split_once('/')) {
        (&Method::GET, None) if path == "versions" => versions(&shared.world()),
        (&Method::GET, None) if matches!(path, "streams" | "clients") => {
            let to = format!("/api/v1/{path}/?{}", uri.query().unwrap_or_default());
            return (StatusCode::FOUND, [("location", to)]).into_response();
        }
        (&Method::GET, Some(("streams", ""))) => streams(&shared.world(), uri.query().unwrap_or_default()),
        (&Method::GET, Some(("clients", id))) => client(&shared.world(), id),
        (&Method::DELETE, Some(("clients", id))) => {
            let was_there = shared.end(id);
            let mut world = shared.world();
            if was_there {
                world.ended.push(id.to_owned());
                head(&world)
            } else {
                refusal(CLIENT_NOT_FOUND)
            }
        }
        _ => return (StatusCode::NOT_FOUND, "404").into_response(),
    };
    axum::Json(body).into_response()
}

fn is_allowed(world: &World, headers: &HeaderMap) -> bool {
    let Some(auth) = &world.auth else { return true };
    let expected = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(auth));
    headers.get("authorization").is_some_and(|shown| shown == expected.as_str())
}

fn refusal(code: u64) -> Value {
    json!({ "code": code })
}

fn versions(world: &World) -> Value {
    let mut body = head(world);
    body["data"] = json!({"major": 5, "minor": 0, "revision": 213, "version": "5.0.213"});
    body
}

fn streams(world: &World, query: &str) -> Value {
    let number = |name: &str| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
        found.and_then(|(_, value)| value.parse::<usize>().ok()).unwrap_or(0)
    };
    let rows = world.streams.iter().map(|(path, stream)| row(world, path, stream));
    let rows: Vec<Value> = rows.skip(number("start")).take(number("count").max(10)).collect();
    let mut body = head(world);
    body["streams"] = rows.into();
    body
}

fn row(world: &World, path: &str, stream: &Stream) -> Value {
    let (app, name) = path.rsplit_once('/').unwrap_or_default();
    let clients = world.clients.values().filter(|client| client.app == app && client.name == name).count();
    let video = json!({"codec": "H264", "profile": "High", "level": "3", "width": 640, "height": 360});
    let audio = json!({"codec": "AAC", "sample_rate": 44100, "channel": 2, "profile": "LC"});
    let mut publish = json!({"active": stream.publisher.is_some()});
    if let Some(cid) = &stream.publisher {
        publish["cid"] = cid.as_str().into();
    }
    json!({
        "id": "vid-90p8h65", "name": name, "vhost": "vid-1d1tv0g", "app": app,
        "tcUrl": format!("rtmp://127.0.0.1:1935/{app}"), "url": format!("/{path}"), "live_ms": 1_763_831_858_123_u64,
        "clients": clients, "frames": 243, "send_bytes": 13_652, "recv_bytes": stream.received,
        "kbps": {"recv_30s": 0, "send_30s": 0}, "publish": publish,
        "video": if stream.has_media { video } else { Value::Null },
        "audio": if stream.has_media { audio } else { Value::Null },
    })
}

fn client(world: &World, id: &str) -> Value {
    let Some(client) = world.clients.get(id) else { return refusal(CLIENT_NOT_FOUND) };
    let kind = if client.publishes { "fmle-publish" } else { "rtmp-play" };
    let mut body = head(world);
    body["client"] = json!({
        "id": id, "vhost": "vid-1d1tv0g", "stream": "vid-90p8h65", "ip": "127.0.0.1", "pageUrl": "", "swfUrl": "",
        "tcUrl": format!("rtmp://127.0.0.1:1935/{}", client.app), "url": format!("/{}/{}", client.app, client.name),
        "name": client.name, "type": kind, "publish": client.publishes, "alive": 4.2, "send_bytes": 3_213,
        "recv_bytes": client.received, "kbps": {"recv_30s": 0, "send_30s": 0},
    });
    body
}
