//! The section `[otel]`: OpenTelemetry.

use super::section::section;
use super::values::{address, if_set};

section! {
    pub struct Otel {
        /// Base address of an OTLP collector over HTTP. Nothing is sent without it.
        endpoint: Option<String>, check if_set(address(&["http", "https"]));
    }
}
