//! One client's connection: both dialects, and the orders of a test.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::{Dialect, Order, Script, Shared};

/// One client.
pub(super) struct Connection {
    pub(super) socket: WebSocketStream<TcpStream>,
    pub(super) shared: Arc<Shared>,
    pub(super) channels: BTreeSet<u64>,
}

impl Connection {
    pub(super) async fn run(&mut self, mut orders: broadcast::Receiver<Order>) {
        let script = self.shared.script().clone();
        if let Some(code) = script.closes_with {
            return self.close(code).await;
        }
        if script.dialect == Dialect::Pusher && script.greets {
            let data = json!({ "socket_id": "1.1", "activity_timeout": script.activity_seconds }).to_string();
            self.send_json(&json!({ "event": "pusher:connection_established", "data": data })).await;
        }
        loop {
            tokio::select! {
                message = self.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.hear(text.as_str()).await,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => {}
                },
                order = orders.recv() => match order {
                    Ok(Order::Publish(channel, text)) if self.channels.contains(&channel) => self.send(&text).await,
                    Ok(Order::Publish(..)) => {}
                    Ok(Order::Raw(text)) => self.send(&text).await,
                    Ok(Order::Close(code)) => return self.close(code).await,
                    Ok(Order::Silence) => return std::future::pending().await,
                    Ok(Order::Cut) | Err(_) => return,
                },
            }
        }
    }

    async fn hear(&mut self, text: &str) {
        let script = self.shared.script().clone();
        for line in text.lines() {
            let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
            match script.dialect {
                Dialect::Pusher => self.hear_pusher(&message, &script).await,
                Dialect::Centrifugo => self.hear_centrifugo(&message, &script).await,
            }
        }
    }

    async fn hear_pusher(&mut self, message: &Value, script: &Script) {
        let name = message["data"]["channel"].as_str().unwrap_or_default();
        match message["event"].as_str().unwrap_or_default() {
            "pusher:subscribe" => {
                self.subscribe(name);
                if script.acknowledges {
                    let event = "pusher_internal:subscription_succeeded";
                    self.send_json(&json!({ "event": event, "data": "{}", "channel": name })).await;
                }
            }
            "pusher:unsubscribe" => self.unsubscribe(name),
            "pusher:ping" => {
                self.shared.saw(|seen| seen.pings += 1);
                if script.pongs {
                    self.send_json(&json!({ "event": "pusher:pong" })).await;
                }
            }
            "pusher:pong" => self.shared.saw(|seen| seen.pongs += 1),
            _ => {}
        }
    }

    async fn hear_centrifugo(&mut self, message: &Value, script: &Script) {
        let id = &message["id"];
        let body = if message["connect"]["token"].as_str().is_some_and(|token| token.starts_with("guest-")) {
            if !script.greets {
                return;
            }
            let (ping, ttl) = (script.activity_seconds, script.ttl_seconds);
            json!({ "id": id, "connect": { "client": "c", "expires": true, "ttl": ttl, "ping": ping, "pong": true } })
        } else if message.get("connect").is_some() {
            json!({ "id": id, "error": { "code": 101, "message": "unauthorized" } })
        } else if let Some(name) = message["subscribe"]["channel"].as_str() {
            self.subscribe(name);
            if !script.acknowledges {
                return;
            }
            json!({ "id": id, "subscribe": {} })
        } else if let Some(name) = message["unsubscribe"]["channel"].as_str() {
            self.unsubscribe(name);
            json!({ "id": id, "unsubscribe": {} })
        } else if message.get("refresh").is_some() {
            self.shared.saw(|seen| seen.refreshes += 1);
            json!({ "id": id, "refresh": { "expires": true, "ttl": script.ttl_seconds } })
        } else {
            return self.shared.saw(|seen| seen.pongs += 1);
        };
        self.send_json(&body).await;
    }

    fn subscribe(&mut self, name: &str) {
        let channel = name.strip_prefix("channel.").and_then(|number| number.parse::<u64>().ok());
        let joined = channel.filter(|channel| self.channels.insert(*channel));
        let here = self.channels.len();
        self.shared.saw(|seen| {
            seen.subscribes += 1;
            if let Some(channel) = joined {
                *seen.subscribed.entry(channel).or_default() += 1;
            }
            seen.most_on_one = seen.most_on_one.max(here);
        });
    }

    fn unsubscribe(&mut self, name: &str) {
        let channel = name.strip_prefix("channel.").and_then(|number| number.parse::<u64>().ok());
        let left = channel.filter(|channel| self.channels.remove(channel));
        self.shared.saw(|seen| {
            seen.unsubscribes += 1;
            if let Some(channel) = left {
                seen.left(channel);
            }
        });
    }

    async fn send_json(&mut self, message: &Value) {
        self.send(&message.to_string()).await;
    }

    async fn send(&mut self, text: &str) {
        // Reading notices a closed connection.
        let _ = self.socket.send(Message::text(text)).await;
    }

    async fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "scripted".into() };
        let _ = self.socket.close(Some(frame)).await;
        // Without waiting for the answer a reset may lose the code.
        let _ = tokio::time::timeout(Duration::from_secs(1), async {
            while self.socket.next().await.is_some_and(|message| message.is_ok()) {}
        })
        .await;
    }
}
