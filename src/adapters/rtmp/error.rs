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

/// Why a connection failed. The text contains no secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct RtmpError {
    /// Where it failed.
    pub step: Step,
    /// Whether the server said no, rather than that something broke.
    pub is_refused: bool,
    /// What happened, in the server's words if it said something.
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
        for part in [secret, secret.split(['?', '&']).next().unwrap_or_default()] {
            // A short name is no secret, and may be part of any word.
            if part.len() >= 6 {
                self.message = self.message.replace(part, "***");
            }
        }
        self
    }
}
