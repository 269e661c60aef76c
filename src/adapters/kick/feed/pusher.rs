//! The Pusher protocol, version 7, as a client of public channels speaks it
//! (pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol).

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::payload::{self, ProtocolError};
use super::protocol::{Action, Ended, Frame, Protocol, REFUSED_RETRY, Reconnect, Session};
use super::settings::Timing;
use super::subscriptions::SubscribeRequest;
use crate::domain::streamer::ChannelId;

/// The server may request a shorter time between pings, but not less than this.
const SHORTEST_ACTIVITY: Duration = Duration::from_secs(1);

pub(super) struct Pusher(Session);

impl Pusher {
    pub(super) fn new(timing: Timing, now: Instant) -> Self {
        Self(Session::new(timing, now))
    }

    fn event(&mut self, mut frame: Value, now: Instant, out: &mut Vec<Action>) -> Result<(), ProtocolError> {
        let data = frame.get_mut("data").map(Value::take).unwrap_or_default();
        let event = frame.get("event").and_then(Value::as_str).ok_or(ProtocolError::NotProtocol)?;
        let channel = frame.get("channel").and_then(Value::as_str);
        match event {
            "pusher:connection_established" => return self.established(data, now, out),
            "pusher:ping" => out.push(send("pusher:pong", &json!({}))),
            "pusher:pong" => {}
            "pusher:error" => out.push(error(data)?),
            "pusher_internal:subscription_succeeded" => self.0.acknowledge(self.0.channel(channel)?, out),
            "pusher:subscription_error" => {
                let channel = self.0.channel(channel)?;
                self.0.subscriptions.retry(channel, now, REFUSED_RETRY);
                return Err(ProtocolError::SubscriptionRefused);
            }
            _ if event.starts_with("pusher") => return Err(ProtocolError::UnknownEvent),
            _ => {
                let channel = self.0.channel(channel)?;
                out.push(Action::Update(channel, payload::read(channel, event, data)?));
            }
        }
        Ok(())
    }

    fn established(&mut self, data: Value, now: Instant, out: &mut Vec<Action>) -> Result<(), ProtocolError> {
        self.0.greeting.take().ok_or(ProtocolError::NotProtocol)?;
        out.push(Action::Established);
        self.send_subscriptions(now, out);
        let data = payload::decoded(data).ok_or(ProtocolError::NotJson)?;
        let seconds = data.get("activity_timeout").and_then(Value::as_u64).filter(|seconds| *seconds > 0);
        let limit = Duration::from_secs(seconds.ok_or(ProtocolError::MissingField)?).max(SHORTEST_ACTIVITY);
        self.0.idle_limit = self.0.idle_limit.min(limit);
        Ok(())
    }
}

impl Protocol for Pusher {
    fn session(&self) -> &Session {
        &self.0
    }

    fn session_mut(&mut self) -> &mut Session {
        &mut self.0
    }

    fn message(&mut self, text: &str, now: Instant, out: &mut Vec<Action>) {
        let frame = serde_json::from_str(text).map_err(|_| ProtocolError::NotJson);
        if let Err(error) = frame.and_then(|frame| self.event(frame, now, out)) {
            out.push(Action::Error(error));
        }
    }

    fn subscribe(&mut self, request: &SubscribeRequest, out: &mut Vec<Action>) {
        if request.is_retry {
            // A server that has us subscribed already would refuse.
            out.push(self.unsubscribe(request.channel));
        }
        let channel = payload::channel_name(request.channel);
        out.push(send("pusher:subscribe", &json!({ "auth": "", "channel": channel })));
    }

    fn unsubscribe(&mut self, channel: ChannelId) -> Action {
        send("pusher:unsubscribe", &json!({ "channel": payload::channel_name(channel) }))
    }

    fn ping(&self) -> Option<Action> {
        Some(send("pusher:ping", &json!({})))
    }

    fn reconnect_for(&self, code: u16) -> Reconnect {
        reconnect_for(code)
    }
}

/// As Pusher documents the codes, and for the rest as its own client (pusher-js) treats them.
fn reconnect_for(code: u16) -> Reconnect {
    match code {
        4200..=4299 => Reconnect::Immediately,
        4000..=4099 | 4300.. => Reconnect::Rejected,
        1002..=1004 | 4100..=4199 => Reconnect::AfterBackoff,
        _ => Reconnect::Soon,
    }
}

/// What a `pusher:error` means. From 4300 on it is about a message, not about the connection.
fn error(data: Value) -> Result<Action, ProtocolError> {
    let data = payload::decoded(data).ok_or(ProtocolError::NotJson)?;
    let code = data.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| (4000..4300).contains(code)).ok_or(ProtocolError::ServerError)?;
    let message = data.get("message").and_then(Value::as_str).unwrap_or_default();
    Ok(Action::End(Ended::by_server(reconnect_for(code), code, message)))
}

fn send(event: &str, data: &Value) -> Action {
    Action::Send(Frame(json!({ "event": event, "data": data }).to_string()))
}

#[cfg(test)]
#[path = "pusher_tests.rs"]
mod tests;
