//! The channel that a command names.

use serde_json::Value;

use crate::adapters::cli::Failure;
use crate::adapters::cli::api::{Api, Kind, at};
use crate::adapters::views::{ChannelStatusView, ChannelView};

pub(super) const CHANNEL: Kind = Kind {
    list: "channels",
    path: "/channels",
    noun: "channel",
    field: "name",
    any_case: false,
    advice: "see: streamward channel list",
};

/// The channel with this id or name.
pub(in crate::adapters::cli) async fn find(api: &Api, wanted: &str) -> anyhow::Result<Value> {
    api.find::<ChannelView>(&CHANNEL, wanted).await
}

pub(super) fn one(channel: &Value) -> String {
    format!("{}/{}", CHANNEL.path, at(channel, "/id"))
}

pub(super) async fn read_status(api: &Api, id: &str) -> Result<Value, Failure> {
    api.get::<ChannelStatusView>(format!("{}/{id}/status", CHANNEL.path)).await
}
