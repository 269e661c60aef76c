//! The section `[log]`: the log.

use super::section::section;
use super::values::choice;
use crate::runtime::telemetry::LogFormat;

section! {
    pub struct Log {
        /// A level (`info`) or a filter (`info,sqlx=warn`).
        level: String = "info".into();
        /// For people (`text`) or machines (`json`).
        format: LogFormat;
    }
}

choice!(LogFormat);
