//! What can go wrong with a connection, and at which step.

use std::fmt;

use serde::Serialize;
use strum::{Display, IntoStaticStr};
use thiserror::Error;

use crate::domain::secret::masked_line;

/// A step of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Display, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Step {
    /// The host's name becomes addresses.
    Name,
    /// A TCP connection.
    Tcp,
    /// TLS, for `rtmps`.
    Tls,
    /// The RTMP handshake.
    Handshake,
    /// The application accepts us.
    Connect,
    /// It takes or gives a stream.
    Stream,
    /// Media flows.
    Media,
}

/// A shorter name is no secret, and may be part of any word.
const SHORTEST_SECRET: usize = 6;

/// Why a connection failed. The text contains no secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct RtmpError {
    /// Where it failed.
    pub step: Step,
    /// Whether the server refused, rather than that something broke.
    pub is_refused: bool,
    /// What happened, in the server's words if it sent some.
    pub message: String,
}

impl RtmpError {
    pub(super) fn new(step: Step, message: impl fmt::Display) -> Self {
        Self { step, is_refused: false, message: masked_line(&message.to_string(), 300) }
    }

    /// Nothing came for too long.
    pub fn silent() -> Self {
        Self::new(Step::Media, "nothing came for ten seconds")
    }

    pub(super) fn refused(step: Step, message: impl fmt::Display) -> Self {
        Self { is_refused: true, ..Self::new(step, message) }
    }

    /// Without `secret`, which a server may repeat.
    pub(super) fn without(mut self, secret: &str) -> Self {
        // The values of its parameters too: a server may repeat one of them.
        for part in std::iter::once(secret).chain(secret.split(['?', '&', '='])) {
            if part.len() >= SHORTEST_SECRET {
                self.message = self.message.replace(part, "***");
                self.cut_beginning_of(part);
            }
        }
        self
    }

    /// A long text was cut, perhaps in the middle of a secret.
    fn cut_beginning_of(&mut self, part: &str) {
        let begins = |length: &usize| part.get(..*length).is_some_and(|begin| self.message.ends_with(begin));
        if let Some(length) = (SHORTEST_SECRET..part.len()).rev().find(begins) {
            self.message.truncate(self.message.len() - length);
            self.message.push_str("***");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_name_is_left_in_the_words_of_a_server() {
        let name = "live_4711?token=abcdefgh&x=1";
        for words in [
            format!("no {name} here"),
            "no live_4711 here".to_owned(),
            "the token abcdefgh is old".to_owned(),
            format!("{} {name}", "x".repeat(289)),
            format!("{} {name}", "x".repeat(280)),
        ] {
            let shown = RtmpError::new(Step::Media, words).without(name).message;
            assert!(!shown.contains("live_4") && !shown.contains("abcdef"), "{shown}");
            assert!(shown.contains("***"), "{shown}");
        }
    }
}
