//! What both protocols have in common: what goes in, what comes out, and when silence is too long.
//!
//! A machine does no I/O and has no clock. It is told what happened and when, and says what to do.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::payload::ProtocolError;
use crate::domain::secret::Secret;
use crate::domain::streamer::ChannelId;
use crate::domain::streamer::decide::ReportedStatus;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Send this text.
    Send(Frame),
    /// Send a WebSocket ping.
    Ping,
    /// Know that the server has let us in.
    Established,
    /// Know that edges of this channel are heard from now on.
    Subscribed(ChannelId),
    /// Tell this edge.
    Update(ChannelId, ReportedStatus),
    /// Count this.
    Error(ProtocolError),
    /// Get a new guest token and give it to [`Protocol::token`].
    Token,
    /// Close the connection.
    End(Ended),
}

/// Text to send. It may carry a token, so `Debug` tells nothing then.
#[derive(Clone, PartialEq)]
pub(super) struct Frame(pub(super) String);

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains("\"token\"") { f.write_str("***") } else { f.write_str(&self.0) }
    }
}

/// What the end of a connection means for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reconnect {
    /// Connect again at once, unless that happens too often.
    Immediately,
    /// Connect again after a wait, which may be short.
    Soon,
    /// Connect again after an obligatory wait.
    AfterBackoff,
    /// Do not connect again like this: it was refused.
    Rejected,
}

/// How a connection, or an attempt at one, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// What it means.
    pub(super) reconnect: Reconnect,
    /// As it is counted.
    pub(super) reason: &'static str,
    /// For people.
    pub(super) text: String,
}

impl Ended {
    pub(super) fn new(reconnect: Reconnect, reason: &'static str, text: impl Into<String>) -> Self {
        Self { reconnect, reason, text: text.into() }
    }

    /// Something the server said, with a code.
    pub(super) fn by_server(reconnect: Reconnect, code: u16, reported: &str) -> Self {
        let reason = match reconnect {
            Reconnect::Immediately | Reconnect::Soon => "closed",
            Reconnect::AfterBackoff => "back_off",
            Reconnect::Rejected => "rejected",
        };
        Self::new(
            reconnect,
            reason,
            format!("the server ended it with {code} {}", shown(reported)).trim_end(),
        )
    }
}

/// What others wrote, fit to be shown.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// One connection's worth of a protocol. Once it has said [`Action::End`] it is of no more use.
pub(super) trait Protocol: Send {
    /// The socket is open.
    fn opened(&mut self, now: Instant, out: &mut Vec<Action>);
    /// A text frame arrived.
    fn received(&mut self, text: &str, now: Instant, out: &mut Vec<Action>);
    /// Something else arrived, or could not have been noticed before now.
    fn note_activity(&mut self, now: Instant);
    /// Which channels to be subscribed to.
    fn set_channels(&mut self, channels: &BTreeSet<ChannelId>, now: Instant, out: &mut Vec<Action>);
    /// A new guest token, after [`Action::Token`].
    fn token(&mut self, token: &Secret, out: &mut Vec<Action>);
    /// Time has passed.
    fn tick(&mut self, now: Instant, out: &mut Vec<Action>);
    /// When to call [`Protocol::tick`].
    fn deadline(&self) -> Option<Instant>;
    /// How many subscriptions are acknowledged.
    fn subscribed(&self) -> usize;
    /// What a close code means.
    fn reconnect_for(&self, code: u16) -> Reconnect;
}

/// How long nothing was heard.
#[derive(Debug)]
pub(super) struct IdleTimer {
    last: Instant,
    /// Longest silence before asking.
    pub(super) limit: Duration,
    /// Until anything comes after asking.
    pong_timeout: Duration,
    pinged: Option<Instant>,
}

/// What silence calls for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Idle {
    Wait,
    Ping,
    TimedOut,
}

impl IdleTimer {
    pub(super) fn new(now: Instant, limit: Duration, pong_timeout: Duration) -> Self {
        Self { last: now, limit, pong_timeout, pinged: None }
    }

    pub(super) fn reset(&mut self, now: Instant) {
        self.last = now;
        self.pinged = None;
    }

    /// Says [`Idle::Ping`] once for each silence.
    pub(super) fn check(&mut self, now: Instant) -> Idle {
        if now < self.deadline() {
            return Idle::Wait;
        }
        if self.pinged.replace(now).is_some() { Idle::TimedOut } else { Idle::Ping }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.pinged.map_or(self.last + self.limit, |pinged| pinged + self.pong_timeout)
    }
}
