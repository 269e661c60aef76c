//! What events, metrics and `/health` need to know about a programme beside what it reports.

use std::collections::BTreeMap;

use crate::domain::Timestamp;
use crate::domain::channel::{ChannelId, ChannelName, DestinationId, Mode, OutputId};
use crate::ports::StoredProgramme;

/// What is known about a programme beside what it reports.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) id: ChannelId,
    pub(super) channel: ChannelName,
    pub(super) destinations: BTreeMap<DestinationId, String>,
    /// Whether somebody chose the built-in picture.
    pub(super) slate_is_wanted: bool,
}

impl Names {
    /// Those of a stored channel at `now`.
    pub(super) fn of(stored: &StoredProgramme, now: Timestamp) -> Self {
        let StoredProgramme { channel, destinations, .. } = stored;
        Self {
            id: channel.id,
            channel: channel.name.clone(),
            destinations: destinations.iter().map(|(one, _)| (one.id, one.name.clone())).collect(),
            slate_is_wanted: channel.mode(now) == Mode::Slate,
        }
    }

    /// What the labels of metrics are made of.
    pub(super) fn labels(&self) -> (&ChannelName, &BTreeMap<DestinationId, String>) {
        (&self.channel, &self.destinations)
    }

    /// The labels of an output's metrics.
    pub(super) fn output_labels(&self, output: OutputId) -> [(&'static str, String); 3] {
        let name = match output {
            OutputId::MediaServer => "media server".to_owned(),
            OutputId::Destination(id) => self.destination(id),
        };
        [("channel", self.channel.to_string()), ("destination", output.to_string()), ("name", name)]
    }

    pub(super) fn destination(&self, id: DestinationId) -> String {
        self.destinations.get(&id).cloned().unwrap_or_default()
    }
}
