//! What the HTTP API of SRS answers. Unknown fields are ignored.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The head of every answer.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Head {
    /// 0, or the number of an error.
    pub(super) code: i64,
    /// A random word that changes with each start; SRS 4 has none.
    pub(super) service: Option<String>,
    /// The process id.
    pub(super) pid: Option<String>,
}

impl Head {
    /// What changes with each start of SRS.
    pub(super) fn run(&self) -> Option<String> {
        let service = self.service.as_deref()?;
        Some(match &self.pid {
            Some(pid) => format!("{service}-{pid}"),
            None => service.to_owned(),
        })
    }
}

/// `GET /api/v1/versions`.
#[derive(Deserialize)]
pub(super) struct Versions {
    pub(super) data: VersionData,
}

/// The version itself.
#[derive(Deserialize)]
pub(super) struct VersionData {
    /// e.g. `5.0.213`.
    pub(super) version: String,
}

/// `GET /api/v1/clients`.
#[derive(Deserialize)]
pub(super) struct Clients {
    pub(super) clients: Vec<ListedClient>,
}

/// A client in that list.
#[derive(Deserialize)]
pub(super) struct ListedClient {
    pub(super) id: String,
    /// `/app/name`, or `vhost/app/name` if it is not in the default vhost.
    #[serde(default)]
    pub(super) url: String,
    pub(super) publish: bool,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
}

/// `GET /api/v1/streams`.
#[derive(Deserialize)]
pub(super) struct Streams<'a> {
    /// Each is read by itself, so that one that cannot be read spoils no other.
    #[serde(borrow)]
    pub(super) streams: Vec<&'a RawValue>,
}

/// What names a stream.
#[derive(Deserialize)]
pub(super) struct Identity {
    pub(super) app: String,
    /// The last part of its path.
    pub(super) name: String,
    /// `/app/name`, or `vhost/app/name` if it is not in the default vhost. SRS 4 has none.
    pub(super) url: Option<String>,
}

/// A stream: it has a publisher, or players that wait for one.
#[derive(Deserialize)]
pub(super) struct Stream {
    #[serde(flatten)]
    pub(super) identity: Identity,
    /// Publisher and players.
    #[serde(default)]
    pub(super) clients: u32,
    /// Bytes received since the stream has clients, also from former publishers.
    #[serde(default)]
    pub(super) recv_bytes: u64,
    pub(super) publish: Publish,
    pub(super) video: Option<Track>,
    pub(super) audio: Option<Track>,
}

/// The publisher of a stream.
#[derive(Deserialize)]
pub(super) struct Publish {
    /// Whether there is one.
    pub(super) active: bool,
    /// Its client id, or that of the last one.
    pub(super) cid: Option<String>,
}

/// A track whose sequence header has arrived.
#[derive(Deserialize)]
pub(super) struct Track {
    /// e.g. `H264`, `AAC`.
    pub(super) codec: String,
}

/// `GET /api/v1/clients/{id}`.
#[derive(Deserialize)]
pub(super) struct OneClient {
    pub(super) client: Client,
}

/// A client.
#[derive(Deserialize)]
pub(super) struct Client {
    /// e.g. `fmle-publish`, `srt-publish`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Bytes received from it.
    #[serde(default)]
    pub(super) recv_bytes: u64,
}
