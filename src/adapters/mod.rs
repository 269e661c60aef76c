//! Everything that does I/O: each adapter implements ports for one outside system, or accepts calls from outside.

pub mod argon2_pool;
mod bitrate;
pub(crate) mod child;
pub mod cli;
pub mod destination_probe;
pub mod ffmpeg;
pub mod http;
pub mod kick;
pub mod local_wake_ups;
pub mod media_store;
pub mod mediamtx;
pub mod memory;
pub mod mixer;
pub mod nginx_rtmp;
pub mod obs;
pub mod obs_launcher;
pub mod oidc;
mod remote;
pub mod rtmp;
pub mod smtp;
pub mod sql;
pub mod srs;
pub mod system;
mod views;
pub mod webhook_sender;
