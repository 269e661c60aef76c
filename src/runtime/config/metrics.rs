//! The section `[metrics]`: `GET /metrics`.

use super::section::section;
use super::values::SecretValue;

section! {
    pub struct Metrics {
        /// The bearer token that reading them needs.
        token: Option<SecretValue>, unset "not set: anyone who reaches /metrics may read it";
    }
}
