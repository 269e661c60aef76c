//! One connection to OBS: opens it, sends requests, hands out answers and events, and notices that OBS hangs.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::client::{Answer, Link, NOT_READY, ObsClient, Request};
use super::events::{self, Meaning};
use super::protocol::{self, Incoming, Refusal};
use super::socket::Socket;
use crate::adapters::remote::repeat;
use crate::ports::obs_values::ObsVersion;
use crate::ports::{Disconnect, ObsSignal};

/// How many requests wait to be sent.
const REQUESTS: usize = 64;
/// Whose request it is.
enum Purpose {
    /// The first one: OBS answers when it is loaded.
    Version,
    /// Whether OBS still answers.
    Probe,
    /// One of the application.
    Application(oneshot::Sender<Answer>),
}

struct Pending {
    purpose: Purpose,
    sent: Instant,
    limit: Duration,
}

/// A connection that OBS accepted.
pub(super) struct Connection<'a> {
    client: &'a ObsClient,
    socket: Socket,
    requests: (mpsc::Sender<Request>, mpsc::Receiver<Request>),
    measure: watch::Receiver<bool>,
    pending: BTreeMap<u64, Pending>,
    last_id: u64,
    /// When the last answer came.
    answered: Instant,
    /// When to repeat the first request.
    repeat_at: Option<Instant>,
    is_ready: bool,
}

impl<'a> Connection<'a> {
    /// Opens a connection.
    pub(super) async fn open(client: &'a ObsClient) -> Result<Self, Disconnect> {
        let measure = client.measure.subscribe();
        let with_meters = *measure.borrow();
        let identified = timeout(client.settings.timing.connect, identify(client, with_meters)).await;
        let no_answer = || Disconnect::Unreachable("it does not answer as obs-websocket in time".to_owned());
        Ok(Self {
            client,
            socket: identified.unwrap_or_else(|_| Err(no_answer()))?,
            requests: mpsc::channel(REQUESTS),
            measure,
            pending: BTreeMap::new(),
            last_id: 0,
            answered: Instant::now(),
            repeat_at: None,
            is_ready: false,
        })
    }

    /// Talks with OBS until the connection ends. Returns why, and whether OBS ever was ready.
    pub(super) async fn run(mut self) -> (Disconnect, bool) {
        let Err(ended) = self.talk().await;
        self.socket.close().await;
        (ended, self.is_ready)
    }

    async fn talk(&mut self) -> Result<Infallible, Disconnect> {
        self.send(Purpose::Version, "GetVersion", &Value::Null).await?;
        loop {
            let next = self.next_deadline();
            tokio::select! {
                text = self.socket.read() => self.receive(&text?),
                Some(request) = self.requests.1.recv() => {
                    // One that was given up meanwhile is not sent.
                    if !request.answer.is_closed() {
                        self.send(Purpose::Application(request.answer), request.name, &request.data).await?;
                    }
                }
                Ok(()) = self.measure.changed() => {
                    let with_meters = *self.measure.borrow_and_update();
                    self.socket.write(protocol::reidentify(with_meters)).await?;
                }
                () = sleep_until(next) => self.tick().await?,
            }
        }
    }

    async fn send(&mut self, purpose: Purpose, name: &str, data: &Value) -> Result<(), Disconnect> {
        let timing = self.client.settings.timing;
        let limit = if matches!(purpose, Purpose::Application(_)) { timing.stuck } else { timing.unanswered };
        self.last_id += 1;
        self.pending.insert(self.last_id, Pending { purpose, sent: Instant::now(), limit });
        self.socket.write(protocol::request(self.last_id, name, data)).await
    }

    /// When [`Self::tick`] has something to do.
    fn next_deadline(&self) -> Instant {
        let unanswered = self.pending.values().map(|pending| pending.sent + pending.limit);
        let own = if self.is_ready { self.probe_at() } else { self.repeat_at };
        // There is always one of the two; the hour is for the type.
        unanswered.chain(own).min().unwrap_or_else(|| Instant::now() + Duration::from_hours(1))
    }

    fn probe_at(&self) -> Option<Instant> {
        let is_probing = self.pending.values().any(|pending| matches!(pending.purpose, Purpose::Probe));
        (!is_probing).then_some(self.answered + self.client.settings.timing.probe)
    }

    async fn tick(&mut self) -> Result<(), Disconnect> {
        let now = Instant::now();
        if self.pending.values().any(|pending| now >= pending.sent + pending.limit) {
            return Err(Disconnect::Unresponsive);
        }
        if self.repeat_at.is_some_and(|at| now >= at) {
            self.repeat_at = None;
            self.send(Purpose::Version, "GetVersion", &Value::Null).await?;
        } else if self.is_ready && self.probe_at().is_some_and(|at| now >= at) {
            // The smallest answer that OBS has.
            self.send(Purpose::Probe, "GetStudioModeEnabled", &Value::Null).await?;
        }
        Ok(())
    }

    fn receive(&mut self, text: &str) {
        match protocol::read(text) {
            Some(Incoming::Answer { id, result }) => self.answer(id, result),
            Some(Incoming::Event { name, data }) => self.event(&name, data),
            Some(Incoming::Hello { .. } | Incoming::Identified | Incoming::Unknown) => {}
            None => {
                tracing::debug!(length = text.len(), "a message of OBS cannot be read");
                metrics::counter!("streamward_obs_unreadable_messages_total").increment(1);
            }
        }
    }

    fn answer(&mut self, id: u64, result: Answer) {
        let Some(pending) = self.pending.remove(&id) else { return };
        self.answered = Instant::now();
        match (pending.purpose, result) {
            // The caller may have given up.
            (Purpose::Application(answer), result) => drop(answer.send(result)),
            (Purpose::Version, Err(Refusal { code: NOT_READY, .. })) => {
                self.repeat_at = Some(Instant::now() + self.client.settings.timing.loading);
                self.client.disconnected(&Disconnect::Loading);
            }
            // Whatever it answers, it is ready.
            (Purpose::Version, result) => self.ready(&result.unwrap_or_default()),
            (Purpose::Probe, _) => {}
        }
    }

    fn ready(&mut self, version: &Value) {
        self.is_ready = true;
        let text = |field: &str| version.get(field).and_then(Value::as_str).unwrap_or_default();
        let version =
            ObsVersion { studio: repeat(text("obsVersion")), websocket: repeat(text("obsWebSocketVersion")) };
        self.client.set_link(Link::Up(self.requests.0.clone()));
        tracing::info!(obs = %self.client.address, version = version.studio, "connected to OBS");
        self.client.queue.push(ObsSignal::Connected(version));
    }

    fn event(&self, name: &str, data: Value) {
        match events::read(name, data) {
            Meaning::Levels(data) => self.client.levels().note(&data, Instant::now()),
            // What happened before OBS was ready is part of its state by then.
            _ if !self.is_ready => {}
            Meaning::Event(event) => self.client.queue.push(ObsSignal::Event(event)),
            Meaning::Unreadable => self.client.queue.push(ObsSignal::EventsLost),
            Meaning::Ignored => {}
        }
    }
}

impl ObsClient {
    /// Keeps a connection for ever.
    #[expect(clippy::infinite_loop, reason = "its result says that it never returns")]
    pub(super) async fn connect(&self) -> Infallible {
        let mut without = Instant::now();
        loop {
            let ended = match Connection::open(self).await {
                Ok(connection) => {
                    let (ended, was_ready) = connection.run().await;
                    if was_ready {
                        without = Instant::now();
                    }
                    ended
                }
                Err(ended) => ended,
            };
            self.disconnected(&ended);
            let is_refused = matches!(
                ended,
                Disconnect::PasswordRequired
                    | Disconnect::WrongPassword
                    | Disconnect::UnsupportedVersion
                    | Disconnect::Kicked
            );
            let timing = self.settings.timing;
            sleep(if is_refused { timing.refused } else { timing.pause(without.elapsed()) }).await;
        }
    }
}

/// Opens the socket and proves the password.
async fn identify(client: &ObsClient, with_meters: bool) -> Result<Socket, Disconnect> {
    let mut socket = Socket::open(&client.settings.url).await?;
    let challenge = loop {
        if let Some(Incoming::Hello { challenge }) = protocol::read(&socket.read().await?) {
            break challenge;
        }
    };
    let password = &client.settings.password;
    if challenge.is_some() && password.is_empty() {
        return Err(Disconnect::PasswordRequired);
    }
    socket.write(protocol::identify(challenge.as_ref(), password, with_meters)).await?;
    loop {
        if protocol::read(&socket.read().await?) == Some(Incoming::Identified) {
            return Ok(socket);
        }
    }
}
