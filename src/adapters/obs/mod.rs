//! OBS behind the port [`crate::ports::ObsControl`]: a client of obs-websocket 5, which OBS has since version 28.
//!
//! It uses names only, which every version accepts, and nothing that came after 5.0. Measured with OBS 29.0.2;
//! `tests/studio` runs the same checks against that and against the fake one of the tests.
//!
//! * OBS answers several requests of a connection at a time, in any order.
//! * A process that is stopped by a signal keeps the connection and answers nothing, not even pings. So the connection
//!   sends a small request every second (`connection.rs`).
//! * While OBS loads, it answers 207 (since 5.3). Such a request was not carried out, and is repeated.
//! * Its server listens on all addresses. The password is the only protection.

mod answers;
mod client;
mod connection;
mod events;
mod levels;
mod picture;
mod protocol;
mod queue;
mod requests;
mod settings;
mod socket;
#[cfg(test)]
mod tests;

pub use client::ObsClient;
pub use settings::{ObsSettings, Timing};
