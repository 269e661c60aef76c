//! Answers over HTTP: negotiations and guest tokens.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Shared;

/// Answers one HTTP request.
pub(super) async fn answer(stream: &mut TcpStream, shared: &Shared) -> std::io::Result<()> {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    let (head, body) = loop {
        let read = stream.read(&mut buffer).await?;
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length:").and_then(|length| length.trim().parse::<usize>().ok())
            });
            if body.len() >= length.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        }
        if read == 0 {
            return Ok(());
        }
    };
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let is_token = head.starts_with("POST /api/v1/realtime/auth/connection ");
    let accepted: Vec<String> = body["capabilities"]["accepted_providers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|provider| provider["provider"].as_str().map(str::to_owned))
        .collect();
    shared.saw(|seen| {
        if is_token {
            seen.tokens += 1;
        } else {
            seen.negotiations += 1;
            seen.accepted.clone_from(&accepted);
        }
    });
    let refuses = shared.script().refuses_questions;
    if let Some(status) = refuses {
        return reply(stream, status, &json!({})).await;
    }
    let data = if is_token && body["client_id"].is_string() {
        json!({ "token": format!("guest-{}", shared.seen.borrow().tokens) })
    } else if head.starts_with("POST /api/v1/realtime/connection ") && body["client"]["id"].is_string() {
        json!({ "connections": shared.offers(&accepted), "mode": "websocket" })
    } else {
        return reply(stream, 404, &json!({})).await;
    };
    reply(stream, 200, &json!({ "data": data, "message": "success" })).await
}

pub(super) async fn reply(stream: &mut TcpStream, status: u16, body: &Value) -> std::io::Result<()> {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
