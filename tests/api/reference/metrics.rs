//! Every metric, with its labels.

use std::collections::{BTreeMap, BTreeSet};

use streamward::runtime::telemetry::{COUNTERS, GAUGES, HISTOGRAMS};

use super::source::{calls, files, quoted};
use super::{assert_page, code, table};

const INTRO: &str = "`GET /metrics`, in the form of Prometheus; with `metrics.token` only for who has it. OTLP sends the same \
(`otel.endpoint`). Beside these there are those of the process (`process_…`). [Alerts](../../deploy/prometheus/streamward.rules.yml) and a \
[dashboard](../../deploy/grafana/streamward.json) use them.";

/// Labels that are made apart from their metric. The test checks that the file which records it has these words.
const MADE_APART: &[(&str, &[&str], &str)] = &[
    ("streamward_channel_decisions_total", &["channel", "kind", "to", "reason"], "app/channel/metrics.rs"),
    ("streamward_channel_on_air", &["channel", "source"], "app/channel/metrics.rs"),
    ("streamward_channel_on_air_seconds_total", &["channel", "source"], "app/channel/metrics.rs"),
    ("streamward_destination_connects_total", &["channel", "destination", "name"], "app/channel/names.rs"),
    (
        "streamward_destination_dropped_frames_total",
        &["channel", "destination", "name"],
        "app/channel/names.rs",
    ),
    ("streamward_destination_queue_seconds", &["channel", "destination", "name"], "app/channel/names.rs"),
    ("streamward_destination_sent_bytes_total", &["channel", "destination", "name"], "app/channel/names.rs"),
    ("streamward_destination_state", &["channel", "destination", "name"], "app/channel/names.rs"),
    ("streamward_destination_state", &["state"], "app/channel/metrics.rs"),
    ("streamward_kick_feed_updates_total", &["provider", "kind"], "adapters/kick/feed/shard.rs"),
    ("streamward_studio_alert", &["studio", "alert"], "app/studio/metrics.rs"),
    ("streamward_studio_scene", &["studio", "scene"], "app/studio/metrics.rs"),
];

/// Recorded as text, for each live stream.
const OF_STREAMS: [&str; 2] = ["streamward_stream_inbound_bytes_per_second", "streamward_stream_readers"];

#[test]
fn metrics() {
    let all = files("");
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut without_literals = BTreeSet::new();
    for (_, text) in &all {
        for call in ["counter!(", "gauge!(", "histogram!("] {
            for arguments in calls(text, call) {
                let Some((name, rest)) = arguments.split_first() else { continue };
                let found =
                    rest.iter().filter_map(|one| quoted(one.split_once(" => ")?.0).map(str::to_owned));
                let found: Vec<String> = found.collect();
                let Some(name) = quoted(name) else {
                    // A loop over the gauges of a studio.
                    let looped = text.split('"').filter(|word| word.starts_with("streamward_studio_"));
                    for name in looped {
                        labels.entry(name.to_owned()).or_insert_with(|| found.clone());
                    }
                    continue;
                };
                if found.is_empty() && !rest.is_empty() {
                    without_literals.insert(name.to_owned());
                }
                let known = labels.entry(name.to_owned()).or_default();
                known.extend(found.into_iter().filter(|one| !known.contains(one)).collect::<Vec<_>>());
            }
        }
    }
    for (name, made, file) in MADE_APART {
        let (_, text) = all.iter().find(|(path, _)| path.ends_with(file)).expect("the file");
        let known = labels.entry((*name).to_owned()).or_default();
        for label in *made {
            assert!(
                text.contains(&format!("\"{label}\"")),
                "{file} does not make the label {label} of {name}"
            );
            if !known.contains(&(*label).to_owned()) {
                known.push((*label).to_owned());
            }
        }
        without_literals.remove(*name);
    }
    assert!(without_literals.is_empty(), "say in MADE_APART which labels these have: {without_literals:?}");
    for name in OF_STREAMS {
        labels.insert(name.to_owned(), vec!["media_server".to_owned(), "path".to_owned()]);
    }
    let mut text = INTRO.to_owned();
    for (kind, all) in [("Counters", COUNTERS), ("Gauges", GAUGES), ("Histograms", HISTOGRAMS)] {
        let rows = all.iter().map(|(name, help)| {
            let labels =
                labels.get(*name).map(|labels| labels.iter().map(|one| code(one)).collect::<Vec<_>>());
            [code(name), labels.unwrap_or_default().join(", "), (*help).to_owned()]
        });
        text += &format!("\n\n## {kind}\n\n{}", table(["Metric", "Labels", "Meaning"], rows).trim());
    }
    assert_page("metrics.md", "Metrics", &text);
}
