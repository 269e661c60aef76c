//! `streamward stream …`

use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Output;
use crate::app::stream::Streams;
use crate::domain::StreamId;
use crate::domain::access::Actor;
use crate::domain::stream::{Stream, StreamState};
use crate::ports::{StatusFilter, StreamFilter};

/// Commands about streams.
#[derive(Debug, Subcommand)]
pub enum StreamCommand {
    /// List streams, newest first
    List {
        /// Which ones
        #[arg(long, value_enum, default_value = "active")]
        status: Status,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// End a stream's session; its key stays valid
    End {
        /// The stream's id, or the path it is live on
        stream: String,
    },
}

/// Which streams.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Status {
    /// Live ones
    Active,
    /// Ended ones
    Ended,
    /// All
    All,
}

/// Runs the command.
pub async fn run(streams: &Streams, command: &StreamCommand, out: &mut Output) -> anyhow::Result<()> {
    match command {
        StreamCommand::List { status, limit } => {
            let status = match status {
                Status::Active => StatusFilter::Active,
                Status::Ended => StatusFilter::Ended,
                Status::All => StatusFilter::All,
            };
            let filter = StreamFilter { status, limit: Some(*limit), ..StreamFilter::default() };
            let found = streams.list(&Actor::cli("stream list"), &filter).await?;
            let views: Vec<Value> = found.iter().map(|stream| view(streams, stream)).collect();
            let columns = [
                "id",
                "path",
                "status",
                "broadcaster_name",
                "started_at",
                "media_server",
                "source_type",
                "readers",
            ];
            out.list("streams", &views, &columns)
        }
        StreamCommand::End { stream } => {
            let actor = Actor::cli("stream end");
            let id = find(streams, &actor, stream).await?;
            streams.end(&actor, id).await?;
            let now = streams.get(&actor, id).await?;
            out.thing(&view(streams, &now), || {
                let path = &now.path;
                if now.is_active() {
                    format!("Ending {path}; the running service disconnects it.")
                } else {
                    format!("{path} has ended.")
                }
            })
        }
    }
}

async fn find(streams: &Streams, actor: &Actor, wanted: &str) -> anyhow::Result<StreamId> {
    if let Ok(id) = wanted.parse::<StreamId>() {
        return Ok(id);
    }
    let live = streams.list(actor, &StreamFilter::default()).await?;
    match live.iter().find(|stream| stream.path.as_str() == wanted) {
        Some(stream) => Ok(stream.id),
        None => bail!("nothing is live on {wanted:?}"),
    }
}

fn view(streams: &Streams, stream: &Stream) -> Value {
    let (ended_at, end_reason) = match &stream.state {
        StreamState::Ended { ended_at, end_reason } => (Some(ended_at), Some(end_reason.as_str())),
        StreamState::Active { .. } => (None, None),
    };
    let urls = streams.playback_urls(stream).map(|urls| {
        json!({"hls": urls.hls, "webrtc": urls.webrtc, "rtmp": urls.rtmp, "rtsp": urls.rtsp, "srt": urls.srt})
    });
    json!({
        "id": stream.id,
        "stream_key_id": stream.stream_key_id,
        "broadcaster_id": stream.broadcaster_id,
        "broadcaster_name": stream.broadcaster_name,
        "path": stream.path,
        "media_server": stream.media_server,
        "status": if stream.is_active() { "active" } else { "ended" },
        "started_at": stream.started_at,
        "ended_at": ended_at,
        "end_reason": end_reason,
        "source_type": stream.source_kind,
        "source_id": stream.source_id,
        "readers": stream.stats.readers,
        "tracks": stream.stats.tracks,
        "inbound_bytes": stream.stats.inbound_bytes,
        "metadata": stream.metadata,
        "recording_ref": stream.recording_ref,
        "urls": urls,
    })
}
