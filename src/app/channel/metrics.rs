//! The metrics of the programmes that run on this instance. Each series is of one channel, or of one of its outputs.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{counter, gauge};
use strum::VariantArray as _;

use super::names::Names;
use crate::domain::channel::{
    ChannelName, Decision, OutputId, OutputState, OutputStatus, ProgrammeStatus, Source,
};

/// Counts a decision.
pub(super) fn decided(channel: &ChannelName, decision: &Decision) {
    let labels = [
        ("channel", channel.to_string()),
        ("kind", decision.kind.to_string()),
        ("to", decision.to.to_string()),
        ("reason", decision.reason.to_string()),
    ];
    counter!("streamward_channel_decisions_total", &labels).increment(1);
}

/// Shows what a programme reports, after it reported `before`.
pub(super) fn reported(before: Option<(&Names, &ProgrammeStatus)>, names: &Names, status: &ProgrammeStatus) {
    if let Some((old, before)) = before.filter(|(old, _)| old.labels() != names.labels()) {
        stopped(old, before);
    }
    let before = before.map(|(_, before)| before).filter(|before| before.started_at == status.started_at);
    on_air(&names.channel, Some(status.on_air).filter(|_| !status.is_off_air()));
    let since_start = |at: &ProgrammeStatus| at.at.since(status.started_at).as_secs();
    let (on_air, from) = before.map_or((status.on_air, 0), |before| (before.on_air, since_start(before)));
    let labels = [("channel", names.channel.to_string()), ("source", on_air.to_string())];
    let seconds = since_start(status).saturating_sub(from);
    counter!("streamward_channel_on_air_seconds_total", &labels).increment(seconds);
    let hole = Duration::from_millis(status.longest_hole_ms).as_secs_f64();
    gauge!("streamward_channel_longest_hole_seconds", "channel" => names.channel.to_string()).set(hole);

    let earlier: BTreeMap<OutputId, &OutputStatus> =
        before.iter().flat_map(|before| &before.outputs).map(|(id, output)| (*id, output)).collect();
    for (id, output) in &status.outputs {
        let labels = names.output_labels(*id);
        state(&labels, Some(output.state));
        // An output that changed begins to count again.
        let grown = |count: fn(&OutputStatus) -> u64| {
            let before = earlier.get(id).map_or(0, |before| count(before));
            let now = count(output);
            now.checked_sub(before).unwrap_or(now)
        };
        counter!("streamward_destination_connects_total", &labels).increment(grown(|it| it.connects));
        counter!("streamward_destination_sent_bytes_total", &labels).increment(grown(|it| it.bytes));
        let dropped = grown(|it| it.dropped_frames);
        counter!("streamward_destination_dropped_frames_total", &labels).increment(dropped);
        let queued = Duration::from_millis(output.queue_ms).as_secs_f64();
        gauge!("streamward_destination_queue_seconds", &labels).set(queued);
    }
    for id in earlier.keys().filter(|id| !status.outputs.iter().any(|(now, _)| now == *id)) {
        state(&names.output_labels(*id), None);
    }
}

/// The programme does not run here any more, or has other names.
pub(super) fn stopped(names: &Names, last: &ProgrammeStatus) {
    on_air(&names.channel, None);
    for (id, _) in &last.outputs {
        state(&names.output_labels(*id), None);
    }
}

fn on_air(channel: &ChannelName, now: Option<Source>) {
    for source in Source::VARIANTS {
        let labels = [("channel", channel.to_string()), ("source", source.to_string())];
        gauge!("streamward_channel_on_air", &labels).set(u32::from(now == Some(*source)));
    }
}

fn state(labels: &[(&'static str, String); 3], now: Option<OutputState>) {
    let [channel, destination, name] = labels.clone();
    for state in OutputState::VARIANTS {
        let labels = [channel.clone(), destination.clone(), name.clone(), ("state", state.to_string())];
        gauge!("streamward_destination_state", &labels).set(u32::from(now == Some(*state)));
    }
}
