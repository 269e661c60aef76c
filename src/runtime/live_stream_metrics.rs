//! The metrics of live streams, as Prometheus text. They are written from what the polls saw, not recorded, because a
//! recorded series never ends, and streams do.

use std::fmt::Write as _;
use std::sync::Arc;

use super::telemetry::help;
use crate::adapters::http::MetricsText;
use crate::app::live_stats::LiveStats;

/// How many streams have metrics of their own. Each is two series.
const MOST: usize = 1_000;

const READERS: &str = "streamward_stream_readers";
const BITRATE: &str = "streamward_stream_inbound_bytes_per_second";
const NOT_SHOWN: &str = "streamward_streams_not_shown";

/// `text`, and after it the metrics of the live streams.
pub(super) fn with_streams(text: MetricsText, live: Arc<LiveStats>) -> MetricsText {
    Arc::new(move || {
        let mut all = text();
        write(&mut all, &live);
        all
    })
}

fn write(text: &mut String, live: &LiveStats) {
    let streams = live.now();
    let not_shown = streams.len().saturating_sub(MOST);
    let shown = &streams[..streams.len() - not_shown];
    let readers = shown.iter().map(|one| (one, Some(u64::from(one.1.readers))));
    let bitrates = shown.iter().map(|one| (one, one.1.bytes_per_second));
    for (name, values) in [(READERS, readers.collect::<Vec<_>>()), (BITRATE, bitrates.collect::<Vec<_>>())] {
        if values.iter().any(|(_, value)| value.is_some()) {
            head(text, name);
        }
        for ((server, live), value) in values {
            let Some(value) = value else { continue };
            // Neither name can hold a quotation mark, a backslash or a line break.
            let path = live.path.as_str();
            let _ = writeln!(text, "{name}{{media_server=\"{server}\",path=\"{path}\"}} {value}");
        }
    }
    head(text, NOT_SHOWN);
    let _ = writeln!(text, "{NOT_SHOWN} {not_shown}");
}

fn head(text: &mut String, name: &str) {
    let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} gauge", help(name).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::media_server::{MediaServerName, SourceId};
    use crate::domain::path::StreamPath;
    use crate::domain::reconcile::Carried;

    #[tokio::test]
    async fn more_streams_than_can_be_shown_are_counted() {
        let live = Arc::new(LiveStats::default());
        let carried = |number: usize| Carried {
            path: StreamPath::parse(&format!("live/{number}")).unwrap(),
            session: SourceId::parse("1").unwrap(),
            readers: 2,
            inbound_bytes: 0,
        };
        let all: Vec<_> = (0..MOST + 3).map(carried).collect();
        live.note(&MediaServerName::default(), &all, Duration::from_secs(10));
        let text = with_streams(Arc::new(|| "up 1\n".to_owned()), live)();
        assert!(text.starts_with("up 1\n# HELP streamward_stream_readers How many"), "{text}");
        assert!(
            text.contains("streamward_stream_readers{media_server=\"default\",path=\"live/7\"} 2\n"),
            "{text}"
        );
        assert_eq!(text.matches("streamward_stream_readers{").count(), MOST);
        assert!(!text.contains(BITRATE), "no bitrate was measured yet");
        assert!(text.ends_with("streamward_streams_not_shown 3\n"), "{text}");
    }
}
