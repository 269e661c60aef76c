//! The module map. The page below is `src/ARCHITECTURE.md`.
#![doc = include_str!("ARCHITECTURE.md")]

pub mod adapters;
pub mod app;
pub mod domain;
pub mod ports;
pub mod runtime;
