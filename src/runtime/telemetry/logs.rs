//! The log on standard error, as text or JSON, written by a thread. If standard error is not read, entries are dropped
//! and counted; the service does not wait.

use std::io::IsTerminal;

use anyhow::anyhow;
use serde::Serialize;
use strum::{EnumString, VariantNames};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

/// How many lines wait to be written before others are dropped. Each takes 32 bytes of memory also while none waits.
const BUFFERED_LINES: usize = 8_192;

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, EnumString, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum LogFormat {
    /// One readable line per event.
    #[default]
    Text,
    /// One JSON object per event.
    Json,
}

/// Builds the layer that writes the log, its thread, which writes the rest on drop, and the counter of dropped entries.
pub(super) fn layer<S>(
    level: &str,
    format: LogFormat,
) -> anyhow::Result<(Box<dyn Layer<S> + Send + Sync>, WorkerGuard, ErrorCounter)>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static,
{
    // PostgreSQL's NOTICE messages only matter for migrations. A filter that names sqlx shows them.
    let quieter = if level.contains("sqlx") { "" } else { ",sqlx::postgres::notice=warn" };
    // At `trace` tungstenite writes whole frames, and some contain tokens.
    let filter = EnvFilter::builder()
        .parse(format!("{level}{quieter},tungstenite=debug,tokio_tungstenite=debug"))
        .map_err(|reason| {
            anyhow!("log.level {level:?} is neither a level (info) nor a filter (info,sqlx=warn): {reason}")
        })?;
    let (writer, thread) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(BUFFERED_LINES)
        .thread_name("log-writer")
        .finish(std::io::stderr());
    let errors = writer.error_counter();
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer = match format {
        LogFormat::Text => layer.with_ansi(std::io::stderr().is_terminal()).with_filter(filter).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
    };
    Ok((layer, thread, errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_and_filter_are_accepted() {
        for good in ["info", "WARN", "info,sqlx=warn", "streamward::app=trace"] {
            assert!(layer::<tracing_subscriber::Registry>(good, LogFormat::Text).is_ok(), "{good}");
        }
    }

    #[test]
    fn bad_level_is_refused_with_the_name_of_its_key() {
        let Err(error) = layer::<tracing_subscriber::Registry>("info,sqlx=loud", LogFormat::Json) else {
            panic!("accepted");
        };
        assert!(error.to_string().starts_with(r#"log.level "info,sqlx=loud""#), "{error}");
    }
}
