//! Starts and ends OBS: as a program of our own, or as a unit of systemd.
//!
//! OBS 29 saves its scenes and ends within a second of SIGINT, as if a person had quit it. SIGTERM kills it without
//! saving. From 30 on it offers its safe mode after it was killed, and waits for a person, unless it is started with
//! `--disable-shutdown-check`; older ones ignore that.

mod process;
mod systemd;

pub use process::{ProcessLauncher, ProcessSettings};
pub use systemd::SystemdLauncher;
