//! Centrifugo's client protocol in JSON, as Kick's web page speaks it. Kick documents none of it; Centrifugo does
//! (centrifugal.dev/docs/transports/client_protocol, its codes at …/docs/server/codes).

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::payload::{self, ProtocolError};
use super::protocol::{Action, Ended, Frame, Idle, IdleTimer, Protocol, Reconnect};
use super::settings::Timing;
use super::subscriptions::Subscriptions;
use crate::domain::secret::Secret;
use crate::domain::streamer::ChannelId;

/// Ping intervals and token lifetimes that are believed, in seconds.
const BELIEVED: std::ops::RangeInclusive<u64> = 1..=86_400;
/// Until a new token is asked for again, if none came.
const TOKEN_AGAIN: Duration = Duration::from_secs(30);

/// Codes of errors (centrifugal.dev/docs/server/codes).
const ALREADY_SUBSCRIBED: u64 = 105;
const TOKEN_EXPIRED: u64 = 109;

/// What a reply will be the answer to.
enum Pending {
    Connect,
    Subscribe(ChannelId),
    Unsubscribe,
    Refresh,
}

/// One connection to a Centrifugo server.
pub(super) struct Centrifugo {
    timing: Timing,
    token: Secret,
    /// Until when the server may let us in; `None` once it has.
    greeting: Option<Instant>,
    silence: IdleTimer,
    /// Whether the server pings. If so, silence is enough to know that it is gone.
    pings: bool,
    refresh: Option<Instant>,
    last_id: u64,
    pending: HashMap<u64, Pending>,
    subscriptions: Subscriptions,
}

impl Centrifugo {
    pub(super) fn new(timing: &Timing, token: Secret, now: Instant) -> Self {
        Self {
            timing: timing.clone(),
            token,
            greeting: Some(now + timing.greeting),
            silence: IdleTimer::new(now, timing.activity, timing.pong),
            pings: false,
            refresh: None,
            last_id: 0,
            pending: HashMap::new(),
            subscriptions: Subscriptions::new(timing),
        }
    }

    fn command(&mut self, pending: Pending, name: &str, body: &Value) -> Action {
        self.last_id += 1;
        self.pending.insert(self.last_id, pending);
        Action::Send(Frame(json!({ "id": self.last_id, name: body }).to_string()))
    }

    fn subscribe(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.greeting.is_some() {
            return;
        }
        for request in self.subscriptions.due(now) {
            if request.again {
                self.pending
                    .retain(|_, p| !matches!(p, Pending::Subscribe(channel) if *channel == request.channel));
            }
            let body = json!({ "channel": payload::channel_name(request.channel), "flag": 1 });
            out.push(self.command(Pending::Subscribe(request.channel), "subscribe", &body));
        }
    }

    fn object(&mut self, line: &str, now: Instant, out: &mut Vec<Action>) -> Result<(), ProtocolError> {
        let mut message: Value = serde_json::from_str(line).map_err(|_| ProtocolError::NotJson)?;
        let fields = message.as_object().ok_or(ProtocolError::NotProtocol)?;
        if fields.is_empty() {
            out.push(Action::Send(Frame("{}".into())));
            return Ok(());
        }
        if let Some(push) = message.get_mut("push") {
            return self.push(push, now, out);
        }
        let pending = message.get("id").and_then(Value::as_u64).and_then(|id| self.pending.remove(&id));
        let pending = pending.ok_or(ProtocolError::NotProtocol)?;
        match message.get("error") {
            Some(error) => self.refused(&pending, error, now, out),
            None => {
                self.granted(&pending, &message, now, out);
                Ok(())
            }
        }
    }

    fn granted(&mut self, pending: &Pending, reply: &Value, now: Instant, out: &mut Vec<Action>) {
        match pending {
            Pending::Connect => {
                self.greeting = None;
                let reply = &reply["connect"];
                if let Some(ping) = seconds(&reply["ping"]) {
                    self.pings = true;
                    self.silence.limit = ping + self.timing.silence_margin;
                }
                self.expires(reply, now);
                out.push(Action::Established);
                self.subscribe(now, out);
            }
            Pending::Subscribe(channel) => {
                if self.subscriptions.acknowledged(*channel) {
                    out.push(Action::Subscribed(*channel));
                }
            }
            Pending::Refresh => self.expires(&reply["refresh"], now),
            Pending::Unsubscribe => {}
        }
    }

    fn refused(
        &mut self,
        pending: &Pending,
        error: &Value,
        now: Instant,
        out: &mut Vec<Action>,
    ) -> Result<(), ProtocolError> {
        let code = error["code"].as_u64().unwrap_or_default();
        let reported = error["message"].as_str().unwrap_or_default();
        let passes = code < 100 || error["temporary"].as_bool().unwrap_or(false);
        let reconnect = match (pending, code) {
            // Every connection begins with a new token.
            (_, TOKEN_EXPIRED) | (Pending::Refresh, _) => Reconnect::Immediately,
            (Pending::Connect, _) if passes => Reconnect::AfterBackoff,
            (Pending::Connect, _) => Reconnect::Rejected,
            (Pending::Subscribe(channel), ALREADY_SUBSCRIBED) => {
                if self.subscriptions.acknowledged(*channel) {
                    out.push(Action::Subscribed(*channel));
                }
                return Ok(());
            }
            (Pending::Subscribe(channel), _) => {
                let wait = if passes { self.timing.ack } else { self.timing.refused };
                self.subscriptions.lost(*channel, now, wait);
                return Err(ProtocolError::SubscriptionRefused);
            }
            (Pending::Unsubscribe, _) => return Err(ProtocolError::ServerError),
        };
        out.push(Action::End(Ended::by_server(reconnect, u16::try_from(code).unwrap_or(u16::MAX), reported)));
        Ok(())
    }

    fn push(&mut self, push: &mut Value, now: Instant, out: &mut Vec<Action>) -> Result<(), ProtocolError> {
        if let Some(disconnect) = push.get("disconnect") {
            let code =
                disconnect["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or_default();
            let reported = disconnect["reason"].as_str().unwrap_or_default();
            out.push(Action::End(Ended::by_server(reconnect_for(code), code, reported)));
            return Ok(());
        }
        let name = push["channel"].as_str().ok_or(ProtocolError::MissingField)?;
        let channel = payload::channel_of(name).filter(|channel| self.subscriptions.wants(*channel));
        let channel = channel.ok_or(ProtocolError::UnknownChannel)?;
        if let Some(unsubscribed) = push.get("unsub") {
            let again = unsubscribed["code"].as_u64().is_some_and(|code| (2500..3000).contains(&code));
            let wait = if again { Duration::ZERO } else { self.timing.refused };
            self.subscriptions.lost(channel, now, wait);
            self.subscribe(now, out);
            return if again { Ok(()) } else { Err(ProtocolError::SubscriptionRefused) };
        }
        let publication = push.get_mut("pub").ok_or(ProtocolError::UnknownEvent)?;
        let envelope = publication.get_mut("data").map(Value::take).ok_or(ProtocolError::MissingField)?;
        let mut envelope = payload::decoded(envelope).ok_or(ProtocolError::NotJson)?;
        let data = envelope.get_mut("data").map(Value::take).unwrap_or_default();
        let event = envelope.get("event").and_then(Value::as_str).ok_or(ProtocolError::MissingField)?;
        out.push(Action::Update(channel, payload::read(channel, event, data)?));
        Ok(())
    }

    fn expires(&mut self, reply: &Value, now: Instant) {
        let ttl = seconds(&reply["ttl"]).filter(|_| reply["expires"].as_bool() != Some(false));
        self.refresh = ttl.map(|ttl| now + ttl.saturating_sub(self.timing.refresh_early).max(ttl / 2));
    }
}

impl Protocol for Centrifugo {
    fn opened(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.greeting = Some(now + self.timing.greeting);
        self.note_activity(now);
        let body = json!({ "token": self.token.expose(), "name": "js" });
        out.push(self.command(Pending::Connect, "connect", &body));
    }

    fn received(&mut self, text: &str, now: Instant, out: &mut Vec<Action>) {
        self.note_activity(now);
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if let Err(error) = self.object(line, now, out) {
                out.push(Action::Error(error));
            }
        }
    }

    fn note_activity(&mut self, now: Instant) {
        self.silence.reset(now);
    }

    fn set_channels(&mut self, channels: &BTreeSet<ChannelId>, now: Instant, out: &mut Vec<Action>) {
        for channel in self.subscriptions.want(channels) {
            let body = json!({ "channel": payload::channel_name(channel) });
            out.push(self.command(Pending::Unsubscribe, "unsubscribe", &body));
        }
        self.subscribe(now, out);
    }

    fn token(&mut self, token: &Secret, out: &mut Vec<Action>) {
        self.token = token.clone();
        out.push(self.command(Pending::Refresh, "refresh", &json!({ "token": token.expose() })));
    }

    fn tick(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.greeting.is_some_and(|until| now >= until) {
            let text = "the server did not let us in in time";
            out.push(Action::End(Ended::new(Reconnect::Soon, "no_greeting", text)));
            return;
        }
        match self.silence.check(now) {
            Idle::Wait => {}
            Idle::Ping if !self.pings => out.push(Action::Ping),
            Idle::Ping | Idle::TimedOut => {
                let text = "nothing was heard for too long";
                out.push(Action::End(Ended::new(Reconnect::Immediately, "silent", text)));
                return;
            }
        }
        if self.refresh.is_some_and(|at| now >= at) {
            self.refresh = Some(now + TOKEN_AGAIN);
            out.push(Action::Token);
        }
        self.subscribe(now, out);
    }

    fn deadline(&self) -> Option<Instant> {
        let silence = Some(self.silence.deadline());
        let next = if self.greeting.is_some() { self.greeting } else { self.subscriptions.deadline() };
        [silence, next, self.refresh].into_iter().flatten().min()
    }

    fn subscribed(&self) -> usize {
        self.subscriptions.acknowledged_count()
    }

    fn reconnect_for(&self, code: u16) -> Reconnect {
        reconnect_for(code)
    }
}

/// Centrifugo's terminal codes tell a client not to come back as it is.
fn reconnect_for(code: u16) -> Reconnect {
    match code {
        3500..=3999 | 4500..=4999 => Reconnect::Rejected,
        _ => Reconnect::Soon,
    }
}

fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_u64().filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.clamp(*BELIEVED.start(), *BELIEVED.end())))
}

#[cfg(test)]
#[path = "centrifugo_tests.rs"]
mod tests;
