//! The program from outside: the real router, the real SQL, real telemetry, one process.
#![expect(clippy::expect_used, clippy::panic, reason = "in a test a broken expectation ends the test")]

mod admission;
mod audit;
mod auth;
mod authentication;
mod channel_engines;
mod channel_tasks;
mod channels;
mod clips;
mod control_api;
mod document;
mod events;
mod fuzz;
mod harness;
mod kick_http;
mod lifecycle;
mod limits;
mod lists;
mod mediamtx;
mod model;
mod operation;
mod organizations;
mod otlp;
mod problems;
mod program;
mod request_log;
mod roles;
mod secrets;
mod streamers;
mod streams;
mod studios;
mod tasks;
mod telemetry;
mod watching;
mod wire;
