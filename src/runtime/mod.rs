//! Composition and lifecycle: what turns configuration into running parts. Decides nothing about streams.

pub mod serve;
pub mod telemetry;
pub mod worker;
