//! Free ports of loopback, outside the range of ephemeral ports.

use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};

static NEXT: AtomicU32 = AtomicU32::new(0);

const FIRST: u32 = 10_240;
const COUNT: u32 = 20_000;

/// A port that is free for TCP and UDP, and is not given again soon.
pub fn free() -> Result<u16> {
    // Two runs at the same time begin in different places.
    let offset = std::process::id().wrapping_mul(61);
    (0..COUNT)
        .map(|_| FIRST + offset.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| {
            TcpListener::bind(("127.0.0.1", *port)).is_ok() && UdpSocket::bind(("127.0.0.1", *port)).is_ok()
        })
        .context("no free port")
}
