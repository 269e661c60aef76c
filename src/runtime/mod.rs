//! Composition and lifecycle: builds the running parts from the configuration. Decides nothing about streams.
//!
//! [`main`] is the whole program. `serve` is `service`; `bootstrap` opens the database for the service and for
//! commands.

mod background;
mod bootstrap;
pub mod config;
mod databases;
pub mod doctor;
mod gauges;
mod main;
mod media_config;
mod media_servers;
mod secrets;
pub mod serve;
mod service;
pub mod services;
mod signals;
mod streamers;
pub mod tasks;
pub mod telemetry;
mod up;

pub use main::main;
