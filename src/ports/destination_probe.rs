//! Tests whether a destination can be reached, without publishing to it.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr, VariantArray};

use crate::domain::channel::PushUrl;

/// A step of reaching a destination, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Display, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ProbeStep {
    /// The program that pushes is there: ffmpeg with SRT. Only with `srt`.
    Program,
    /// The name of the host has an address.
    Name,
    /// The host accepts the connection. Not with `srt`, which has none.
    Tcp,
    /// The certificate is right. Only with `rtmps`.
    Tls,
    /// The RTMP handshake; with `srt` the first half of that of SRT, which needs no key.
    Handshake,
    /// The RTMP command `connect` to the application. It needs no key. Not with `srt`.
    Connect,
}

/// A step that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedStep {
    /// Which.
    pub step: ProbeStep,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, in the words of the other side. Without secrets.
    pub error: Option<String>,
}

/// Reaches destinations for a test.
#[async_trait]
pub trait DestinationProbe: Send + Sync {
    /// MUST try the steps in their order until one fails, and MUST publish nothing. MUST end within 15 s.
    async fn probe(&self, url: &PushUrl) -> Vec<ProbedStep>;
}
