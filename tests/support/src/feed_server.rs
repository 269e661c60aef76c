//! A scripted server of Kick's push feeds: it speaks the Pusher protocol or Centrifugo's, answers negotiations, and
//! misbehaves as scripted. One port serves HTTP and WebSockets.
//!
//! ```ignore
//! let server = FeedServer::start(Dialect::Pusher).await;
//! server.script(|script| script.acknowledges = false);
//! // … connect to server.ws_url(), or negotiate at server.url() …
//! server.until("a subscription", |seen| seen.subscribed.contains_key(&7)).await;
//! server.publish(7, r"App\Events\StreamerIsLive", &live(7, 1, "2025-09-14T23:18:20.000000Z"));
//! ```

mod connection;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use self::connection::Connection;
use self::requests::{answer, reply};

/// Most that waits to be written to a connection.
const QUEUE: usize = 65_536;
/// How long [`FeedServer::until`] waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// The protocol of the connections, offered in negotiations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The Pusher protocol; its app key is `key`.
    Pusher,
    /// Centrifugo's protocol in JSON.
    Centrifugo,
}

/// How the server behaves: towards connections opened from now on, and in `acknowledges` and `pongs` towards all.
#[derive(Clone, Debug)]
pub struct Script {
    /// What is spoken and offered.
    pub dialect: Dialect,
    /// Whether it greets (Pusher), or lets in (Centrifugo).
    pub greets: bool,
    /// Whether subscriptions are acknowledged.
    pub acknowledges: bool,
    /// Whether pings are answered.
    pub pongs: bool,
    /// Closes each connection with this code as soon as it is open.
    pub closes_with: Option<u16>,
    /// Answers this HTTP status instead of opening a WebSocket.
    pub refuses_sockets: Option<u16>,
    /// Answers HTTP requests with this status.
    pub refuses_questions: Option<u16>,
    /// Offered instead of the server itself: the content of `connections`.
    pub offers: Option<Value>,
    /// `activity_timeout` (Pusher) or `ping` (Centrifugo), in seconds.
    pub activity_seconds: u64,
    /// Lifetime of a guest token (Centrifugo), in seconds.
    pub ttl_seconds: u64,
}

/// Counters since the start of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// All WebSockets opened.
    pub opened: usize,
    /// WebSockets open now.
    pub open: usize,
    /// All subscribe requests.
    pub subscribes: usize,
    /// All unsubscribe requests.
    pub unsubscribes: usize,
    /// Requested channels, acknowledged or not, and the number of their open connections.
    pub subscribed: BTreeMap<u64, usize>,
    /// The most channels that one connection had.
    pub most_on_one: usize,
    /// Pings of clients (Pusher), and pongs (Centrifugo).
    pub pings: usize,
    /// Pongs of clients.
    pub pongs: usize,
    /// The number of negotiations.
    pub negotiations: usize,
    /// The providers accepted in the last negotiation.
    pub accepted: Vec<String>,
    /// Guest tokens given out.
    pub tokens: usize,
    /// Tokens replaced on a connection.
    pub refreshes: usize,
    /// The `Origin` of the last connection.
    pub origin: Option<String>,
}

/// An order to all connections.
#[derive(Clone)]
enum Order {
    /// Send an event to the subscribers of the channel.
    Publish(u64, Arc<str>),
    /// Send a text as it is.
    Raw(Arc<str>),
    /// Close with a code.
    Close(u16),
    /// Neither read nor write any more, and keep the connection.
    Silence,
    /// Break the connection.
    Cut,
}

struct Shared {
    script: Mutex<Script>,
    seen: watch::Sender<Seen>,
    orders: broadcast::Sender<Order>,
    address: String,
}

/// The server. It ends, and with it all connections, when this is dropped.
pub struct FeedServer {
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl FeedServer {
    /// Listens on a free port of this machine.
    ///
    /// # Panics
    /// If there is none.
    pub async fn start(dialect: Dialect) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its own address").to_string();
        let script = Script {
            dialect,
            greets: true,
            acknowledges: true,
            pongs: true,
            closes_with: None,
            refuses_sockets: None,
            refuses_questions: None,
            offers: None,
            activity_seconds: 120,
            ttl_seconds: 2700,
        };
        let (seen, orders) = (watch::Sender::default(), broadcast::Sender::new(QUEUE));
        let shared = Arc::new(Shared { script: Mutex::new(script), seen, orders, address });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { shared, _tasks: tasks }
    }

    /// The address for negotiations: `http://…`.
    pub fn url(&self) -> String {
        format!("http://{}", self.shared.address)
    }

    /// The address of the feed: `ws://…`.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.shared.address)
    }

    /// Changes how the server behaves.
    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.shared.script());
    }

    /// The counters so far.
    pub fn seen(&self) -> Seen {
        self.shared.seen.borrow().clone()
    }

    /// Waits until the counters are as wanted.
    ///
    /// # Panics
    /// If it does not for 20 s.
    pub async fn until(&self, what: &str, is_seen: impl Fn(&Seen) -> bool) -> Seen {
        let mut seen = self.shared.seen.subscribe();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| is_seen(seen))).await;
        let found = waited.ok().and_then(|seen| seen.ok().map(|seen| seen.clone()));
        found.unwrap_or_else(|| panic!("{what} was not seen: {:?}", self.seen()))
    }

    /// Publishes an event on `channel.<channel>`, its data in a string as Kick does.
    pub fn publish(&self, channel: u64, event: &str, data: &Value) {
        self.publish_as(channel, event, &Value::String(data.to_string()));
    }

    /// Publishes an event with its data as they are.
    pub fn publish_as(&self, channel: u64, event: &str, data: &Value) {
        let name = format!("channel.{channel}");
        let frame = match self.shared.script().dialect {
            Dialect::Pusher => json!({ "event": event, "channel": name, "data": data }),
            Dialect::Centrifugo => {
                json!({ "push": { "channel": name, "pub": { "data": { "event": event, "data": data } } } })
            }
        };
        self.order(Order::Publish(channel, frame.to_string().into()));
    }

    /// Sends a text on all connections as it is.
    pub fn send_raw(&self, text: &str) {
        self.order(Order::Raw(text.into()));
    }

    /// Closes all connections with a code.
    pub fn close_all(&self, code: u16) {
        self.order(Order::Close(code));
    }

    /// Breaks all connections without a close frame.
    pub fn cut_all(&self) {
        self.order(Order::Cut);
    }

    /// Makes all connections half-open: they stay, but the server neither reads nor writes.
    pub fn silence_all(&self) {
        self.order(Order::Silence);
    }

    fn order(&self, order: Order) {
        // It fails if there is no connection.
        let _ = self.shared.orders.send(order);
    }
}

/// The data of an event: `channel` went live with livestream `id`.
pub fn live(channel: u64, id: u64, created_at: &str) -> Value {
    json!({ "livestream": { "id": id, "channel_id": channel, "session_title": "title", "source": null, "created_at": created_at } })
}

/// The data of an event: livestream `id` on `channel` ended.
pub fn stop(channel: u64, id: u64) -> Value {
    json!({ "livestream": { "id": id, "channel": { "id": channel, "is_banned": false } } })
}

impl Seen {
    fn left(&mut self, channel: u64) {
        let others = self.subscribed.remove(&channel).unwrap_or_default().saturating_sub(1);
        if others > 0 {
            self.subscribed.insert(channel, others);
        }
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("no test panics while it writes a script")
    }

    fn saw(&self, change: impl FnOnce(&mut Seen)) {
        self.seen.send_modify(change);
    }

    /// The offer to a client that accepts `accepted`.
    fn offers(&self, accepted: &[String]) -> Value {
        let script = self.script();
        if let Some(offers) = &script.offers {
            return offers.clone();
        }
        let offer = match script.dialect {
            Dialect::Pusher => {
                json!({ "provider": "pusher", "credentials": { "app_key": "key", "cluster": "us2" } })
            }
            Dialect::Centrifugo => {
                let url = format!("ws://{}/connection/websocket", self.address);
                json!({ "provider": "centrifugo", "credentials": { "url": url } })
            }
        };
        let is_accepted = accepted.iter().any(|name| offer["provider"] == name.as_str());
        if is_accepted { json!([offer]) } else { json!([]) }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut first = [0; 4];
    while stream.peek(&mut first).await.is_ok_and(|read| read > 0 && read < first.len()) {
        tokio::task::yield_now().await;
    }
    if &first == b"POST" {
        let _ = answer(&mut stream, &shared).await;
        return;
    }
    let (orders, refuses) = (shared.orders.subscribe(), shared.script().refuses_sockets);
    if let Some(status) = refuses {
        let _ = reply(&mut stream, status, &json!({})).await;
        return;
    }
    let mut origin = None;
    let note = |request: &tokio_tungstenite::tungstenite::handshake::server::Request, response| {
        origin = request.headers().get("origin").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(response)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, note).await else { return };
    shared.saw(|seen| {
        seen.opened += 1;
        seen.open += 1;
        seen.origin = origin;
    });
    let mut connection = Connection { socket, shared: Arc::clone(&shared), channels: BTreeSet::new() };
    connection.run(orders).await;
    let channels = std::mem::take(&mut connection.channels);
    shared.saw(|seen| {
        seen.open -= 1;
        channels.iter().for_each(|channel| seen.left(*channel));
    });
}
