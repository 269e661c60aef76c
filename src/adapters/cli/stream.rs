//! `streamward stream …`

use anyhow::bail;
use clap::{Subcommand, ValueEnum};

use super::{Output, list_output};
use crate::adapters::views::StreamView;
use crate::app::list::{List as _, Pages};
use crate::app::stream::Streams;
use crate::domain::StreamId;
use crate::domain::access::Actor;
use crate::domain::page::Page;
use crate::domain::path::StreamPath;
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
            let filter = StreamFilter { status, ..StreamFilter::default() };
            let pages = Pages::new(Actor::cli("stream list"), filter, Page::first(*limit));
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
            let view = |stream| StreamView::of(streams, stream);
            list_output::print(out, ("streams", &columns), (streams, pages), view).await
        }
        StreamCommand::End { stream } => {
            let actor = Actor::cli("stream end");
            let id = find(streams, &actor, stream).await?;
            streams.end(&actor, id).await?;
            let now = streams.get(&actor, id).await?;
            let text = if now.is_active() {
                format!("Ending {}; the running service disconnects it.", now.path)
            } else {
                format!("{} has ended.", now.path)
            };
            out.thing(&StreamView::of(streams, now), || text)
        }
    }
}

async fn find(streams: &Streams, actor: &Actor, wanted: &str) -> anyhow::Result<StreamId> {
    if let Ok(id) = wanted.parse::<StreamId>() {
        return Ok(id);
    }
    // A text that is no path is on none.
    let filter = StreamPath::parse(wanted)
        .ok()
        .map(|path| StreamFilter { path: Some(path), ..StreamFilter::default() });
    let live = match filter {
        Some(filter) => streams.list(actor, &filter, &Page::first(1)).await?,
        None => Vec::new(),
    };
    match live.first() {
        Some(stream) => Ok(stream.id),
        None => bail!("nothing is live on {wanted:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::output::with_nulls;
    use super::*;
    use crate::adapters::local_wake_ups::LocalWakeUps;
    use crate::adapters::memory::MemoryStore;
    use crate::adapters::system::{SystemClock, SystemIds};
    use crate::app::Core;
    use crate::app::poll_requests::PollRequests;
    use crate::domain::secret::MasterKey;
    use crate::domain::stream::tests::stream;

    #[test]
    fn json_of_a_stream_has_every_field_of_the_api() {
        let (clock, wake_ups) = (Arc::new(SystemClock), Arc::new(LocalWakeUps::default()));
        let (store, polls) = (Arc::new(MemoryStore::new(clock.clone())), PollRequests::new(wake_ups.clone()));
        let master = MasterKey::new([1; 32]);
        let core = Core::over_one_store(store, clock, Arc::new(SystemIds), wake_ups, &master);
        let streams = Streams::new(Arc::new(core), Arc::default(), Arc::new(polls), Duration::ZERO);
        let shown = with_nulls(&StreamView::of(&streams, stream()));
        assert_eq!((&shown["source_id"], &shown["metadata"]), (&json!("s1"), &json!({})));
        for absent in ["recording_ref", "ended_at", "end_reason", "urls"] {
            assert_eq!(shown.get(absent), Some(&Value::Null), "{absent}");
        }
    }
}
