//! Everything that does I/O: each adapter implements ports for one outside system, or brings the world's calls in.

pub mod http;
pub mod mediamtx;
