//! Centrifugo's client protocol in JSON, as Kick's web page speaks it. Kick documents none of it; Centrifugo does
//! (centrifugal.dev/docs/transports/client_protocol, its codes at …/docs/server/codes).

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::payload::{self, ProtocolError};
use super::protocol::{Action, Ended, Frame, Protocol, REFUSED_RETRY, Reconnect, Session};
use super::settings::Timing;
use super::subscriptions::SubscribeRequest;
use crate::domain::secret::Secret;
use crate::domain::streamer::ChannelId;

/// Longest ping interval and token lifetime that is accepted, in seconds.
const LONGEST: u64 = 86_400;
/// How long before its end a guest token is replaced.
const REFRESH_EARLY: Duration = Duration::from_mins(2);
const ALREADY_SUBSCRIBED: u64 = 105;
const TOKEN_EXPIRED: u64 = 109;

enum Pending {
    Connect,
    Subscribe(ChannelId),
    Unsubscribe,
    Refresh,
}

pub(super) struct Centrifugo {
    session: Session,
    token: Secret,
    /// Whether the server pings. Then its silence is enough to know that it is gone.
    server_pings: bool,
    last_id: u64,
    pending: HashMap<u64, Pending>,
}

impl Centrifugo {
    pub(super) fn new(timing: Timing, token: Secret, now: Instant) -> Self {
        let session = Session::new(timing, now);
        Self { session, token, server_pings: false, last_id: 0, pending: HashMap::new() }
    }

    fn command(&mut self, pending: Pending, name: &str, body: &Value) -> Action {
        self.last_id += 1;
        self.pending.insert(self.last_id, pending);
        Action::Send(Frame(json!({ "id": self.last_id, name: body }).to_string()))
    }

    fn object(&mut self, line: &str, now: Instant, out: &mut Vec<Action>) -> Result<(), ProtocolError> {
        let mut message: Value = serde_json::from_str(line).map_err(|_| ProtocolError::NotJson)?;
        if message.as_object().ok_or(ProtocolError::NotProtocol)?.is_empty() {
            out.push(Action::Send(Frame("{}".into())));
            return Ok(());
        }
        if let Some(push) = message.get_mut("push") {
            return self.push(push, now, out);
        }
        let pending = message.get("id").and_then(Value::as_u64).and_then(|id| self.pending.remove(&id));
        let pending = pending.ok_or(ProtocolError::NotProtocol)?;
        if let Some(error) = message.get("error") {
            return self.refused(&pending, error, now, out);
        }
        match pending {
            Pending::Connect => {
                self.session.greeting = None;
                let reply = &message["connect"];
                if let Some(interval) = seconds(&reply["ping"]) {
                    self.server_pings = true;
                    self.session.idle_limit = interval + self.session.timing.silence_margin;
                }
                self.schedule_refresh(reply, now);
                out.push(Action::Established);
                self.send_subscriptions(now, out);
            }
            Pending::Subscribe(channel) => self.session.acknowledge(channel, out),
            Pending::Refresh => self.schedule_refresh(&message["refresh"], now),
            Pending::Unsubscribe => {}
        }
        Ok(())
    }

    fn refused(
        &mut self,
        pending: &Pending,
        error: &Value,
        now: Instant,
        out: &mut Vec<Action>,
    ) -> Result<(), ProtocolError> {
        let (code, message) = code_and(error, "message");
        let is_temporary = code < 100 || error["temporary"].as_bool().unwrap_or(false);
        let reconnect = match (pending, code) {
            // Every connection begins with a new token.
            (_, TOKEN_EXPIRED) | (Pending::Refresh, _) => Reconnect::Immediately,
            (Pending::Connect, _) if is_temporary => Reconnect::AfterBackoff,
            (Pending::Connect, _) => Reconnect::Rejected,
            (Pending::Subscribe(channel), ALREADY_SUBSCRIBED) => {
                self.session.acknowledge(*channel, out);
                return Ok(());
            }
            (Pending::Subscribe(channel), _) => {
                let wait = if is_temporary { self.session.timing.ack } else { REFUSED_RETRY };
                self.session.subscriptions.retry(*channel, now, wait);
                return Err(ProtocolError::SubscriptionRefused);
            }
            (Pending::Unsubscribe, _) => return Err(ProtocolError::ServerError),
        };
        let code = u16::try_from(code).unwrap_or(u16::MAX);
        out.push(Action::End(Ended::by_server(reconnect, code, message)));
        Ok(())
    }

    fn push(&mut self, push: &mut Value, now: Instant, out: &mut Vec<Action>) -> Result<(), ProtocolError> {
        if let Some(disconnect) = push.get("disconnect") {
            let (code, reason) = code_and(disconnect, "reason");
            let code = u16::try_from(code).unwrap_or_default();
            out.push(Action::End(Ended::by_server(reconnect_for(code), code, reason)));
            return Ok(());
        }
        let channel = self.session.channel(push["channel"].as_str())?;
        if let Some(unsubscribed) = push.get("unsub") {
            let may_retry = unsubscribed["code"].as_u64().is_some_and(|code| (2500..3000).contains(&code));
            let wait = if may_retry { Duration::ZERO } else { REFUSED_RETRY };
            self.session.subscriptions.retry(channel, now, wait);
            self.send_subscriptions(now, out);
            return if may_retry { Ok(()) } else { Err(ProtocolError::SubscriptionRefused) };
        }
        let publication = push.get_mut("pub").ok_or(ProtocolError::UnknownEvent)?;
        let envelope = publication.get_mut("data").map(Value::take).ok_or(ProtocolError::MissingField)?;
        let mut envelope = payload::decoded(envelope).ok_or(ProtocolError::NotJson)?;
        let data = envelope.get_mut("data").map(Value::take).unwrap_or_default();
        let event = envelope.get("event").and_then(Value::as_str).ok_or(ProtocolError::MissingField)?;
        out.push(Action::Update(channel, payload::read(channel, event, data)?));
        Ok(())
    }

    fn schedule_refresh(&mut self, reply: &Value, now: Instant) {
        let ttl = seconds(&reply["ttl"]).filter(|_| reply["expires"].as_bool() != Some(false));
        self.session.refresh_at = ttl.map(|ttl| now + ttl.saturating_sub(REFRESH_EARLY).max(ttl / 2));
    }
}

impl Protocol for Centrifugo {
    fn session(&self) -> &Session {
        &self.session
    }

    fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    fn opened(&mut self, out: &mut Vec<Action>) {
        let body = json!({ "token": self.token.expose(), "name": "js" });
        out.push(self.command(Pending::Connect, "connect", &body));
    }

    fn message(&mut self, text: &str, now: Instant, out: &mut Vec<Action>) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if let Err(error) = self.object(line, now, out) {
                out.push(Action::Error(error));
            }
        }
    }

    fn subscribe(&mut self, request: &SubscribeRequest, out: &mut Vec<Action>) {
        let channel = request.channel;
        if request.is_retry {
            self.pending.retain(|_, pending| !matches!(pending, Pending::Subscribe(of) if *of == channel));
        }
        let body = json!({ "channel": payload::channel_name(channel), "flag": 1 });
        out.push(self.command(Pending::Subscribe(channel), "subscribe", &body));
    }

    fn unsubscribe(&mut self, channel: ChannelId) -> Action {
        let body = json!({ "channel": payload::channel_name(channel) });
        self.command(Pending::Unsubscribe, "unsubscribe", &body)
    }

    fn ping(&self) -> Option<Action> {
        (!self.server_pings).then_some(Action::Ping)
    }

    fn token(&mut self, token: &Secret, out: &mut Vec<Action>) {
        out.push(self.command(Pending::Refresh, "refresh", &json!({ "token": token.expose() })));
    }

    fn reconnect_for(&self, code: u16) -> Reconnect {
        reconnect_for(code)
    }
}

/// After Centrifugo's terminal codes a client must not connect again in the same way.
fn reconnect_for(code: u16) -> Reconnect {
    if matches!(code, 3500..=3999 | 4500..=4999) { Reconnect::Rejected } else { Reconnect::Soon }
}

fn code_and<'a>(value: &'a Value, text: &str) -> (u64, &'a str) {
    (value["code"].as_u64().unwrap_or_default(), value[text].as_str().unwrap_or_default())
}

fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_u64().filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.min(LONGEST)))
}

#[cfg(test)]
#[path = "centrifugo_tests.rs"]
mod tests;
