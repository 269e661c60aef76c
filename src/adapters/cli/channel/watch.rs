//! `streamward channel watch`: what is on air, live.

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::named::{find, read_status};
use super::view;
use crate::adapters::cli::Output;
use crate::adapters::cli::api::{Api, at};
use crate::adapters::cli::screen::{self, Live};
use crate::domain::Timestamp;

/// Shows the channel until `stop`, a key, or until the output is closed.
pub(super) async fn watch(
    api: &Api,
    id: &str,
    stop: &CancellationToken,
    out: &mut Output,
) -> anyhow::Result<()> {
    screen::show(&LiveChannel { api, id }, stop, out).await
}

struct LiveChannel<'a> {
    api: &'a Api,
    id: &'a str,
}

/// A channel, its status, and when they were read.
struct Found {
    channel: Value,
    status: Value,
    now: Timestamp,
}

impl Live for LiveChannel<'_> {
    type Found = Found;
    const RED: &'static [&'static str] = &["not running", "failed", "backing_off", "mismatch", "stalled"];
    const YELLOW: &'static [&'static str] = &["connecting", "unstable", "disabled"];

    async fn read(&self) -> anyhow::Result<Found> {
        let channel = find(self.api, self.id).await?;
        Ok(Found { status: read_status(self.api, self.id).await?, channel, now: self.api.now() })
    }

    fn at(found: &Found) -> Timestamp {
        found.now
    }

    fn head(Found { channel, .. }: &Found) -> String {
        format!("{}  {}  mode {}", at(channel, "/name"), at(channel, "/path"), at(channel, "/mode"))
    }

    fn lines(found: &Found) -> Vec<String> {
        view::status_lines(&found.channel, &found.status, found.now)
    }

    fn object(found: Found) -> Value {
        found.status
    }

    fn states(object: &Value) -> Value {
        states(object)
    }

    fn line(lines: &[String], _: &Value) -> String {
        let words = |line: &String| line.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
        let inputs_and_destinations = lines.iter().skip(2).map(words);
        lines.first().cloned().into_iter().chain(inputs_and_destinations).collect::<Vec<_>>().join("; ")
    }
}

/// What changes seldom: what is on air, and each state.
fn states(object: &Value) -> Value {
    let connections = object["destinations"].as_array().into_iter().flatten();
    let connections: Vec<_> = connections.map(|one| (&one["name"], &one["connection"]["state"])).collect();
    let inputs = &object["inputs"];
    serde_json::json!({
        "running": object["running"], "mode": object["mode"], "on_air": object["on_air"],
        "since": object["since"], "live": inputs["live"]["state"], "backup": inputs["backup"]["state"],
        "media_server": object["media_server"]["state"], "connections": connections,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_printed_for_a_change_of_state_and_not_for_figures() {
        let object = |on_air: &str, state: &str, bytes: u64| {
            json!({"running": true, "on_air": on_air, "inputs": {"live": {"state": "on_air", "fps": bytes}},
                "destinations": [{"name": "YouTube", "connection": {"state": state, "bytes": bytes}}]})
        };
        assert_eq!(states(&object("live", "live", 1)), states(&object("live", "live", 2)));
        assert_ne!(states(&object("live", "live", 1)), states(&object("backup", "live", 1)));
        assert_ne!(states(&object("live", "live", 1)), states(&object("live", "stalled", 1)));
    }
}
