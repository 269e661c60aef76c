//! The Pusher protocol, version 7, as a client of public channels speaks it
//! (pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol).

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::payload::{self, ProtocolError};
use super::protocol::{Action, Ended, Frame, Idle, IdleTimer, Protocol, Reconnect};
use super::settings::Timing;
use super::subscriptions::Subscriptions;
use crate::domain::secret::Secret;
use crate::domain::streamer::ChannelId;

/// IdleTimer that a server may ask us to break: a shorter one would only make work.
const SHORTEST_ACTIVITY: Duration = Duration::from_secs(1);

/// One connection to a Pusher server.
pub(super) struct Pusher {
    timing: Timing,
    /// Until when the server may greet; `None` once it has.
    greeting: Option<Instant>,
    silence: IdleTimer,
    subscriptions: Subscriptions,
}

impl Pusher {
    pub(super) fn new(timing: &Timing, now: Instant) -> Self {
        Self {
            timing: timing.clone(),
            greeting: Some(now + timing.greeting),
            silence: IdleTimer::new(now, timing.activity, timing.pong),
            subscriptions: Subscriptions::new(timing),
        }
    }

    fn subscribe(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.greeting.is_some() {
            return;
        }
        for request in self.subscriptions.due(now) {
            let channel = payload::channel_name(request.channel);
            if request.again {
                // A server that has us subscribed already would refuse.
                out.push(send("pusher:unsubscribe", &json!({ "channel": channel })));
            }
            out.push(send("pusher:subscribe", &json!({ "auth": "", "channel": channel })));
        }
    }

    fn event(&mut self, frame: &mut Value, now: Instant, out: &mut Vec<Action>) -> Result<(), ProtocolError> {
        let data = frame.get_mut("data").map(Value::take).unwrap_or_default();
        let event = frame.get("event").and_then(Value::as_str).ok_or(ProtocolError::NotProtocol)?;
        let channel = frame.get("channel").and_then(Value::as_str);
        match event {
            "pusher:connection_established" => self.established(data, now, out)?,
            "pusher:ping" => out.push(send("pusher:pong", &json!({}))),
            "pusher:pong" => {}
            "pusher:error" => out.push(complaint(data)?),
            "pusher_internal:subscription_succeeded" => {
                let channel = self.ours(channel)?;
                if self.subscriptions.acknowledged(channel) {
                    out.push(Action::Subscribed(channel));
                }
            }
            "pusher:subscription_error" => {
                let channel = self.ours(channel)?;
                self.subscriptions.lost(channel, now, self.timing.refused);
                return Err(ProtocolError::SubscriptionRefused);
            }
            _ if event.starts_with("pusher") => return Err(ProtocolError::UnknownEvent),
            _ => {
                let channel = self.ours(channel)?;
                out.push(Action::Update(channel, payload::read(channel, event, data)?));
            }
        }
        Ok(())
    }

    fn established(&mut self, data: Value, now: Instant, out: &mut Vec<Action>) -> Result<(), ProtocolError> {
        if self.greeting.take().is_none() {
            return Err(ProtocolError::NotProtocol);
        }
        out.push(Action::Established);
        self.subscribe(now, out);
        let data = payload::decoded(data).ok_or(ProtocolError::NotJson)?;
        let theirs = data.get("activity_timeout").and_then(Value::as_u64).filter(|seconds| *seconds > 0);
        let theirs = Duration::from_secs(theirs.ok_or(ProtocolError::MissingField)?).max(SHORTEST_ACTIVITY);
        self.silence.limit = self.silence.limit.min(theirs);
        Ok(())
    }

    fn ours(&self, channel: Option<&str>) -> Result<ChannelId, ProtocolError> {
        let channel = channel.ok_or(ProtocolError::MissingField)?;
        let channel = payload::channel_of(channel).filter(|channel| self.subscriptions.wants(*channel));
        channel.ok_or(ProtocolError::UnknownChannel)
    }
}

impl Protocol for Pusher {
    fn opened(&mut self, now: Instant, _out: &mut Vec<Action>) {
        self.greeting = Some(now + self.timing.greeting);
        self.note_activity(now);
    }

    fn received(&mut self, text: &str, now: Instant, out: &mut Vec<Action>) {
        self.note_activity(now);
        let frame = serde_json::from_str::<Value>(text).map_err(|_| ProtocolError::NotJson);
        if let Err(error) = frame.and_then(|mut frame| self.event(&mut frame, now, out)) {
            out.push(Action::Error(error));
        }
    }

    fn note_activity(&mut self, now: Instant) {
        self.silence.reset(now);
    }

    fn set_channels(&mut self, channels: &BTreeSet<ChannelId>, now: Instant, out: &mut Vec<Action>) {
        for channel in self.subscriptions.want(channels) {
            let channel = payload::channel_name(channel);
            out.push(send("pusher:unsubscribe", &json!({ "channel": channel })));
        }
        self.subscribe(now, out);
    }

    fn token(&mut self, _token: &Secret, _out: &mut Vec<Action>) {}

    fn tick(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.greeting.is_some_and(|until| now >= until) {
            let text = "the server did not greet in time";
            out.push(Action::End(Ended::new(Reconnect::Soon, "no_greeting", text)));
            return;
        }
        match self.silence.check(now) {
            Idle::Wait => {}
            Idle::Ping => out.push(send("pusher:ping", &json!({}))),
            Idle::TimedOut => {
                let text = "nothing was heard, not even an answer to a ping";
                out.push(Action::End(Ended::new(Reconnect::Immediately, "silent", text)));
                return;
            }
        }
        self.subscribe(now, out);
    }

    fn deadline(&self) -> Option<Instant> {
        let silence = Some(self.silence.deadline());
        let next = if self.greeting.is_some() { self.greeting } else { self.subscriptions.deadline() };
        [silence, next].into_iter().flatten().min()
    }

    fn subscribed(&self) -> usize {
        self.subscriptions.acknowledged_count()
    }

    fn reconnect_for(&self, code: u16) -> Reconnect {
        reconnect_for(code)
    }
}

/// As Pusher documents them, and for the rest as its own client (pusher-js) takes them.
fn reconnect_for(code: u16) -> Reconnect {
    match code {
        4200..=4299 => Reconnect::Immediately,
        4000..=4099 | 4300.. => Reconnect::Rejected,
        1002..=1004 | 4100..=4199 => Reconnect::AfterBackoff,
        _ => Reconnect::Soon,
    }
}

/// What `pusher:error` means: often nothing but that something was not understood.
fn complaint(data: Value) -> Result<Action, ProtocolError> {
    let data = payload::decoded(data).ok_or(ProtocolError::NotJson)?;
    let code = data.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    // From 4300 on it is about a message, not about the connection.
    let code = code.filter(|code| (4000..4300).contains(code)).ok_or(ProtocolError::ServerError)?;
    let reported = data.get("message").and_then(Value::as_str).unwrap_or_default();
    Ok(Action::End(Ended::by_server(reconnect_for(code), code, reported)))
}

fn send(event: &str, data: &Value) -> Action {
    Action::Send(Frame(json!({ "event": event, "data": data }).to_string()))
}

#[cfg(test)]
#[path = "pusher_tests.rs"]
mod tests;
