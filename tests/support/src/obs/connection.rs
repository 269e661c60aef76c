//! One connection to the fake OBS.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio::time::{interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::studio::METERS;
use super::{Naming, Order, Shared};

const SALT: &str = "PZVbYpvAnZut2SS6JNJytDm9";
const CHALLENGE: &str = "ztTBnnuqrqaKDzRM3xcVdbYm";
/// How often levels are sent.
const METER: Duration = Duration::from_millis(50);
/// How long a connection that is closed waits for the other side.
const CLOSE: Duration = Duration::from_secs(1);

struct Connection {
    socket: WebSocketStream<TcpStream>,
    shared: Arc<Shared>,
    /// What is subscribed; `None` until the password was right.
    subscribed: Option<u64>,
}

/// Why a connection is ended.
enum End {
    Gone,
    Close(u16),
}

/// Counts a connection while it is open.
struct Open(Arc<Shared>);

impl Open {
    fn count(shared: &Arc<Shared>) -> Self {
        shared.open.send_modify(|open| *open += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    shared.while_frozen().await;
    if shared.is_quitting.load(Ordering::Relaxed) {
        return;
    }
    // Otherwise an answer after an event waits for the acknowledgement of that.
    let _ = stream.set_nodelay(true);
    let orders = shared.orders.subscribe();
    let Ok(socket) = tokio_tungstenite::accept_async(stream).await else { return };
    let _open = Open::count(&shared);
    let mut connection = Connection { socket, shared, subscribed: None };
    if let Err(End::Close(code)) = connection.run(orders).await {
        let frame = CloseFrame { code: code.into(), reason: "closed by the fake".into() };
        let _ = connection.socket.close(Some(frame)).await;
        // Until the other side answers, so that it gets the frame.
        let answered = async { while let Some(Ok(_)) = connection.socket.next().await {} };
        let _ = timeout(CLOSE, answered).await;
    }
}

impl Connection {
    async fn run(&mut self, mut orders: broadcast::Receiver<Order>) -> Result<(), End> {
        let authentication = json!({ "salt": SALT, "challenge": CHALLENGE });
        let mut hello = json!({ "obsWebSocketVersion": "5.1.0", "rpcVersion": 1 });
        if !self.shared.options.password.is_empty() {
            hello["authentication"] = authentication;
        }
        self.send(0, hello).await?;
        let mut meters = interval(METER);
        loop {
            self.shared.while_frozen().await;
            tokio::select! {
                message = self.socket.next() => {
                    let message = message.ok_or(End::Gone)?.map_err(|_| End::Gone)?;
                    self.shared.while_frozen().await;
                    match message {
                        Message::Text(text) => self.receive(text.as_str()).await?,
                        Message::Close(_) => return Err(End::Gone),
                        _ => {}
                    }
                }
                Ok(order) = orders.recv() => {
                    self.shared.while_frozen().await;
                    self.obey(order).await?;
                }
                _ = meters.tick(), if self.is_subscribed(METERS) => {
                    self.shared.while_frozen().await;
                    let levels = self.shared.studio(|studio| studio.levels());
                    self.event(METERS, "InputVolumeMeters", levels).await?;
                }
            }
        }
    }

    fn is_subscribed(&self, kind: u64) -> bool {
        self.subscribed.is_some_and(|subscribed| subscribed & kind != 0)
    }

    async fn obey(&mut self, order: Order) -> Result<(), End> {
        match order {
            Order::Event(event) if self.is_subscribed(event.kind) => {
                self.event(event.kind, event.name, event.data).await
            }
            Order::Event(_) => Ok(()),
            Order::Raw(text) => self.write(text.to_string()).await,
            Order::Close(code) => Err(End::Close(code)),
        }
    }

    async fn receive(&mut self, text: &str) -> Result<(), End> {
        let message: Value = serde_json::from_str(text).map_err(|_| End::Close(4002))?;
        let data = &message["d"];
        match (message["op"].as_u64(), self.subscribed) {
            (Some(1), None) => {
                let password = self.shared.options.password;
                if !password.is_empty() && data["authentication"] != proof(password) {
                    return Err(End::Close(4009));
                }
                if data["rpcVersion"] != 1 {
                    return Err(End::Close(4010));
                }
                self.subscribed = Some(data["eventSubscriptions"].as_u64().unwrap_or(2047));
                self.send(2, json!({ "negotiatedRpcVersion": 1 })).await
            }
            (_, None) => Err(End::Close(4007)),
            (Some(3), Some(before)) => {
                self.subscribed = Some(data["eventSubscriptions"].as_u64().unwrap_or(before));
                self.send(2, json!({ "negotiatedRpcVersion": 1 })).await
            }
            (Some(6), Some(_)) => self.request(data).await,
            _ => Err(End::Close(4006)),
        }
    }

    async fn request(&mut self, request: &Value) -> Result<(), End> {
        let (Some(name), Some(id)) = (request["requestType"].as_str(), request["requestId"].as_str()) else {
            return Err(End::Close(4003));
        };
        let data = &request["requestData"];
        self.shared.requests.send_modify(|all| all.push((name.to_owned(), data.clone())));
        if self.shared.ignored().contains(name) {
            return Ok(());
        }
        let mut answer = json!({ "requestType": name, "requestId": id });
        match self.shared.studio(|studio| studio.request(name, data)) {
            Ok(response) => {
                answer["requestStatus"] = json!({ "result": true, "code": 100 });
                if !response.is_null() {
                    answer["responseData"] = response;
                }
            }
            Err((code, comment)) => {
                answer["requestStatus"] = json!({ "result": false, "code": code });
                if !comment.is_empty() {
                    answer["requestStatus"]["comment"] = comment.into();
                }
            }
        }
        self.send(7, answer).await
    }

    async fn event(&mut self, kind: u64, name: &str, data: Value) -> Result<(), End> {
        let mut event = json!({ "eventType": name, "eventIntent": kind });
        if !data.is_null() {
            event["eventData"] = data;
        }
        self.send(5, event).await
    }

    async fn send(&mut self, operation: u64, mut data: Value) -> Result<(), End> {
        if self.shared.options.naming == Naming::Uuids {
            add_uuids(&mut data);
        }
        self.write(json!({ "op": operation, "d": data }).to_string()).await
    }

    async fn write(&mut self, text: String) -> Result<(), End> {
        self.socket.send(Message::text(text)).await.map_err(|_| End::Gone)
    }
}

/// What proves the password.
fn proof(password: &str) -> String {
    let hash = |text: String| STANDARD.encode(digest(&SHA256, text.as_bytes()));
    hash(hash(format!("{password}{SALT}")) + CHALLENGE)
}

/// Adds what newer versions send: a UUID beside each name, and fields that nobody knows yet.
fn add_uuids(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(add_uuids);
            let names: Vec<(String, Value)> = fields
                .iter()
                .filter_map(|(field, name)| {
                    Some((format!("{}Uuid", field.strip_suffix("Name")?), name.clone()))
                })
                .collect();
            for (field, name) in names {
                let uuid = name.as_str().map_or(Value::Null, |name| format!("uuid of {name}").into());
                fields.insert(field, uuid);
            }
            fields.insert("fieldOfALaterVersion".into(), json!([{}]));
        }
        Value::Array(items) => items.iter_mut().for_each(add_uuids),
        _ => {}
    }
}
