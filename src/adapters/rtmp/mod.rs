//! RTMP and FLV: a client that publishes and plays, and a reader of files. For every adapter that carries media.
//!
//! `rml_rtmp` makes and reads chunks and messages. The session over them is ours (`session.rs`): the library's acknowledges
//! wrongly, so that a server ends a long playback, and drops what a server says when it refuses.

mod address;
mod client;
mod codec;
mod connect;
mod error;
pub mod flv;
mod flv_stream;
mod frame;
#[cfg(test)]
mod fuzz;
mod session;
mod tcp;
#[cfg(test)]
pub(super) mod test_server;
#[cfg(test)]
mod tests;

pub use address::{Address, AddressError};
pub use client::{Player, Prepared, Publisher};
pub use codec::{AudioFormat, Formats, VideoFormat, parameter_sets};
pub use connect::{Connector, StepTime, check};
pub use error::{RtmpError, Step};
pub use flv_stream::{FlvStream, flv_header, flv_tag};
pub use frame::{Frame, Unsupported};
