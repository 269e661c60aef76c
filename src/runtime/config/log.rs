//! The section `[log]`: the log.

use tracing_subscriber::EnvFilter;

use super::section::section;
use super::values::{choice, require};
use crate::runtime::telemetry::LogFormat;

/// The levels, from the least to the most.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

section! {
    pub struct Log {
        /// A level (`info`) or a filter (`info,sqlx=warn`).
        level: String = "info".into(), check level_or_filter;
        /// For people (`text`) or machines (`json`).
        format: LogFormat;
    }
}

choice!(LogFormat);

/// A word that is no level would be the name of a part of the program, and everything else would be silent.
fn level_or_filter(value: &mut String) -> Result<(), String> {
    let is_level = |text: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(text.trim()));
    let is_known = |part: &str| is_level(part.rsplit_once('=').map_or(part, |(_, level)| level));
    let holds = value.split(',').all(is_known) && EnvFilter::try_new(&*value).is_ok();
    let levels = LEVELS.join(", ");
    require(holds, || format!("must be one of {levels}, or a filter such as info,sqlx=warn, not {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_that_is_no_level_is_refused() {
        for good in ["info", "WARN", "off", "info,sqlx=warn", "warn,streamward::app=debug"] {
            assert_eq!(level_or_filter(&mut good.to_owned()), Ok(()), "{good}");
        }
        for bad in ["warning", "", "verbose", "info,sqlx", "sqlx=loud", "info,,debug"] {
            let error = level_or_filter(&mut bad.to_owned()).unwrap_err();
            assert!(error.contains("off, error, warn") && error.contains(bad), "{error}");
        }
    }
}
