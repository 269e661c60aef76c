//! Streamward: the control plane beside a MediaMTX media server.

pub mod app;
pub mod domain;
pub mod ports;
pub mod runtime;
