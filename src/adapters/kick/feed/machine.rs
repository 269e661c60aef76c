//! What both protocols have in common: what goes in, what comes out, and when silence is too long.
//!
//! A machine does no I/O and has no clock. It is told what happened and when, and says what to do.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::payload::Oddity;
use crate::domain::secret::Secret;
use crate::domain::streamer::ChannelId;
use crate::domain::streamer::decide::Said;

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
    Edge(ChannelId, Said),
    /// Count this.
    Odd(Oddity),
    /// Get a new guest token and give it to [`Machine::token`].
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
pub(super) enum Class {
    /// Connect again at once, unless that happens too often.
    AtOnce,
    /// Connect again after a wait, which may be short.
    Again,
    /// Connect again after an obligatory wait.
    BackOff,
    /// Do not connect again like this: it was refused.
    Rejected,
}

/// How a connection, or an attempt at one, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// What it means.
    pub(super) class: Class,
    /// As it is counted.
    pub(super) reason: &'static str,
    /// For people.
    pub(super) text: String,
}

impl Ended {
    pub(super) fn new(class: Class, reason: &'static str, text: impl Into<String>) -> Self {
        Self { class, reason, text: text.into() }
    }

    /// Something the server said, with a code.
    pub(super) fn by_server(class: Class, code: u16, said: &str) -> Self {
        let reason = match class {
            Class::AtOnce | Class::Again => "closed",
            Class::BackOff => "back_off",
            Class::Rejected => "rejected",
        };
        Self::new(class, reason, format!("the server ended it with {code} {}", shown(said)).trim_end())
    }
}

/// What others wrote, fit to be shown.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// One connection's worth of a protocol. Once it has said [`Action::End`] it is of no more use.
pub(super) trait Machine: Send {
    /// The socket is open.
    fn opened(&mut self, now: Instant, out: &mut Vec<Action>);
    /// A text frame arrived.
    fn heard(&mut self, text: &str, now: Instant, out: &mut Vec<Action>);
    /// Something else arrived, or could not have been noticed before now.
    fn alive(&mut self, now: Instant);
    /// Which channels to be subscribed to.
    fn want(&mut self, channels: &BTreeSet<ChannelId>, now: Instant, out: &mut Vec<Action>);
    /// A new guest token, after [`Action::Token`].
    fn token(&mut self, token: &Secret, out: &mut Vec<Action>);
    /// Time has passed.
    fn tick(&mut self, now: Instant, out: &mut Vec<Action>);
    /// When to call [`Machine::tick`].
    fn deadline(&self) -> Option<Instant>;
    /// How many subscriptions are acknowledged.
    fn subscribed(&self) -> usize;
    /// What a close code means.
    fn class_of(&self, code: u16) -> Class;
}

/// How long nothing was heard.
#[derive(Debug)]
pub(super) struct Silence {
    last: Instant,
    /// Longest silence before asking.
    pub(super) limit: Duration,
    /// Until anything comes after asking.
    patience: Duration,
    asked: Option<Instant>,
}

/// What silence calls for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wait,
    Ask,
    Dead,
}

impl Silence {
    pub(super) fn new(now: Instant, limit: Duration, patience: Duration) -> Self {
        Self { last: now, limit, patience, asked: None }
    }

    pub(super) fn broken(&mut self, now: Instant) {
        self.last = now;
        self.asked = None;
    }

    /// Says [`Verdict::Ask`] once for each silence.
    pub(super) fn judge(&mut self, now: Instant) -> Verdict {
        if now < self.deadline() {
            return Verdict::Wait;
        }
        if self.asked.replace(now).is_some() { Verdict::Dead } else { Verdict::Ask }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.asked.map_or(self.last + self.limit, |asked| asked + self.patience)
    }
}
