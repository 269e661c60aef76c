//! Composition and lifecycle: builds the running parts from the configuration. Contains no rules about streams.
//!
//! [`main`] is the whole program. `serve` is `service`; `bootstrap` opens the database for the service and for
//! commands.

mod backup;
mod bootstrap;
mod channel_engines;
mod clip;
mod commands;
pub mod config;
mod connector;
mod databases;
pub mod doctor;
mod exit;
mod gauges;
pub mod kick;
mod live_stream_metrics;
mod main;
mod media_config;
mod mediamtx_config;
mod oidc;
mod outside;
mod secrets;
pub mod serve;
mod service;
mod shared;
mod signals;
mod slice;
pub mod slices;
mod srs_config;
mod studios;
pub mod tasks;
pub mod telemetry;
mod up;

pub use main::main;
