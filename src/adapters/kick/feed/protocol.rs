//! What the Pusher and the Centrifugo protocol have in common.
//!
//! A protocol does no I/O and has no clock: its caller reports what happened and when, and carries out the actions
//! that it returns.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::payload::{self, ProtocolError};
use super::settings::Timing;
use super::subscriptions::{SubscribeRequest, Subscriptions};
use crate::domain::secret::Secret;
use crate::domain::streamer::ChannelId;
use crate::domain::streamer::decide::ReportedStatus;

/// How long the server may take to accept an open connection.
const GREETING: Duration = Duration::from_secs(10);
/// Until a refused subscription is requested again.
pub(super) const REFUSED_RETRY: Duration = Duration::from_mins(5);
/// Without a guest token, the wait before the next request.
const TOKEN_RETRY: Duration = Duration::from_secs(30);

/// What the caller does next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Send(Frame),
    Ping,
    /// The server has accepted the connection.
    Established,
    /// Status updates of this channel arrive from now on.
    Subscribed(ChannelId),
    Update(ChannelId, ReportedStatus),
    /// Count and log the error; the connection continues.
    Error(ProtocolError),
    /// Fetch a new guest token and pass it to [`Protocol::token`].
    Token,
    End(Ended),
}

/// Text to send. `Debug` hides it if it carries a token.
#[derive(Clone, PartialEq)]
pub(super) struct Frame(pub(super) String);

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.contains("\"token\"") { "***" } else { &self.0 })
    }
}

/// When to connect again after a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reconnect {
    /// Without a wait, unless that happens too often.
    Immediately,
    /// After a wait, which may be short.
    Soon,
    /// After a wait of a minimum length.
    AfterBackoff,
    /// The server refused us; do not connect in the same way.
    Rejected,
}

/// How a connection, or an attempt to open one, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) reconnect: Reconnect,
    pub(super) reason: &'static str,
    pub(super) text: String,
}

impl Ended {
    pub(super) fn new(reconnect: Reconnect, reason: &'static str, text: impl Into<String>) -> Self {
        Self { reconnect, reason, text: text.into() }
    }

    /// The server ended the connection with a code and a message.
    pub(super) fn by_server(reconnect: Reconnect, code: u16, message: &str) -> Self {
        let reason = match reconnect {
            Reconnect::Immediately | Reconnect::Soon => "closed",
            Reconnect::AfterBackoff => "back_off",
            Reconnect::Rejected => "rejected",
        };
        let text = format!("the server ended the connection with {code} {}", printable(message));
        Self::new(reconnect, reason, text.trim_end())
    }
}

/// The server's text, shortened and without control characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// The state that each connection has, whatever its protocol.
pub(super) struct Session {
    pub(super) timing: Timing,
    /// Until when the server may accept the connection; `None` once it has.
    pub(super) greeting: Option<Instant>,
    last_activity: Instant,
    /// Longest silence before a ping.
    pub(super) idle_limit: Duration,
    pinged: Option<Instant>,
    pub(super) subscriptions: Subscriptions,
    /// When to replace the guest token.
    pub(super) refresh_at: Option<Instant>,
}

impl Session {
    pub(super) fn new(timing: Timing, now: Instant) -> Self {
        Self {
            timing,
            greeting: Some(now + GREETING),
            last_activity: now,
            idle_limit: timing.activity,
            pinged: None,
            subscriptions: Subscriptions::new(timing),
            refresh_at: None,
        }
    }

    fn silence_deadline(&self) -> Instant {
        self.pinged.map_or(self.last_activity + self.idle_limit, |pinged| pinged + self.timing.pong)
    }

    /// The channel that the server calls `name`, if we are subscribed to it.
    pub(super) fn channel(&self, name: Option<&str>) -> Result<ChannelId, ProtocolError> {
        let channel = payload::channel_of(name.ok_or(ProtocolError::MissingField)?);
        channel.filter(|channel| self.subscriptions.contains(*channel)).ok_or(ProtocolError::UnknownChannel)
    }

    pub(super) fn acknowledge(&mut self, channel: ChannelId, out: &mut Vec<Action>) {
        if self.subscriptions.acknowledge(channel) {
            out.push(Action::Subscribed(channel));
        }
    }
}

/// The protocol of one connection. After [`Action::End`] it must not be used again.
pub(super) trait Protocol: Send {
    fn session(&self) -> &Session;
    fn session_mut(&mut self) -> &mut Session;
    fn opened(&mut self, _out: &mut Vec<Action>) {}
    fn message(&mut self, text: &str, now: Instant, out: &mut Vec<Action>);
    fn subscribe(&mut self, request: &SubscribeRequest, out: &mut Vec<Action>);
    fn unsubscribe(&mut self, channel: ChannelId) -> Action;
    /// The ping for a silent server; `None` if its silence already means that it is gone.
    fn ping(&self) -> Option<Action>;
    fn token(&mut self, _token: &Secret, _out: &mut Vec<Action>) {}
    fn reconnect_for(&self, code: u16) -> Reconnect;

    /// A message arrived, or the connection was not read until `now`.
    fn note_activity(&mut self, now: Instant) {
        let session = self.session_mut();
        (session.last_activity, session.pinged) = (now, None);
    }

    fn set_channels(&mut self, channels: &BTreeSet<ChannelId>, now: Instant, out: &mut Vec<Action>) {
        for channel in self.session_mut().subscriptions.set_wanted(channels, now) {
            out.push(self.unsubscribe(channel));
        }
        self.send_subscriptions(now, out);
    }

    fn send_subscriptions(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.session().greeting.is_none() {
            for request in self.session_mut().subscriptions.due(now) {
                self.subscribe(&request, out);
            }
        }
    }

    /// [`Protocol::deadline`] has come.
    fn tick(&mut self, now: Instant, out: &mut Vec<Action>) {
        let mut end = |reconnect, reason, text| out.push(Action::End(Ended::new(reconnect, reason, text)));
        let session = self.session_mut();
        if session.greeting.is_some_and(|until| now >= until) {
            return end(Reconnect::Soon, "no_greeting", "the server did not accept the connection in time");
        }
        if now >= session.silence_deadline() {
            let was_pinged = session.pinged.replace(now).is_some();
            match self.ping().filter(|_| !was_pinged) {
                Some(ping) => out.push(ping),
                None => return end(Reconnect::Immediately, "silent", "the server was silent for too long"),
            }
        }
        let session = self.session_mut();
        if session.refresh_at.is_some_and(|at| now >= at) {
            session.refresh_at = Some(now + TOKEN_RETRY);
            out.push(Action::Token);
        }
        self.send_subscriptions(now, out);
    }

    /// When to call [`Protocol::tick`].
    fn deadline(&self) -> Instant {
        let session = self.session();
        let next = session.greeting.or_else(|| session.subscriptions.deadline());
        [next, session.refresh_at].into_iter().flatten().fold(session.silence_deadline(), Instant::min)
    }
}
