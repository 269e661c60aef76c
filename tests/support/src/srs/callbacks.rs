//! The callbacks: their bodies, and what counts as an allowing answer.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Client;

/// The body of a callback about a client.
pub(super) fn body(action: &str, id: &str, client: &Client) -> Value {
    let Client { app, name, param, .. } = client;
    json!({
        "server_id": "vid-7h2k9d1", "service_id": "a1b2c3d4", "action": action, "client_id": id, "ip": "127.0.0.1",
        "vhost": "__defaultVhost__", "app": app, "tcUrl": format!("rtmp://127.0.0.1:1935/{app}"), "stream": name,
        "param": param, "stream_url": format!("/{app}/{name}"), "stream_id": "vid-90p8h65",
    })
}

/// Calls `url` as SRS does. `Ok` only for status 200 or 201 with `0`, or with an object whose `code` is 0.
pub(super) async fn call(url: &str, body: &Value, limit: Duration) -> Result<(), String> {
    let called = timeout(limit, post(url, body.to_string())).await;
    let (status, answer) = match called {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err("no answer in time".to_owned()),
    };
    if !matches!(status, 200 | 201) {
        return Err(format!("status {status}"));
    }
    match serde_json::from_str::<Value>(&answer) {
        Ok(Value::Object(answer)) if answer.get("code").and_then(Value::as_i64) == Some(0) => Ok(()),
        Ok(Value::Number(number)) if number.as_i64() == Some(0) => Ok(()),
        _ => Err(answer),
    }
}

/// Posts `body` over a connection of its own.
async fn post(url: &str, body: String) -> std::io::Result<(u16, String)> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host).await?;
    let head = format!(
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nUser-Agent: SRS/5.0.213(Bee)\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}
