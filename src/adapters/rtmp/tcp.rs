//! What only the kernel knows and limits about a TCP connection. Linux only; elsewhere nothing is known and limited.

use std::os::fd::{AsFd, OwnedFd};

/// How many bytes may wait in the kernel without having been sent. What waits beyond that waits with us, where it is
/// counted, and dropped up to a keyframe when it is too late.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;

/// A view of a connection that lasts no longer than the connection itself should.
#[derive(Debug)]
pub(super) struct TcpView(Option<OwnedFd>);

impl TcpView {
    /// Of a socket that may move into a TLS stream.
    pub(super) fn of(socket: &impl AsFd) -> Self {
        limit_unsent(socket);
        Self(socket.as_fd().try_clone_to_owned().ok())
    }

    /// Of no socket, whose figures nobody knows.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The smoothed round-trip time, in milliseconds.
    pub(super) fn rtt_ms(&self) -> Option<u32> {
        self.0.as_ref().and_then(rtt_us).map(|us| us.div_ceil(1_000))
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use nix::libc;
    use nix::sys::socket::sockopt::{GetStruct, SetStruct};

    /// `struct tcp_info` (linux/tcp.h) up to `tcpi_rtt`. The kernel writes no more than there is room for.
    pub(super) type Info = [u32; 18];
    /// The place of `tcpi_rtt`, in microseconds, after eight bytes and fifteen numbers.
    pub(super) const RTT: usize = 17;

    #[derive(Clone, Copy)]
    pub(super) struct TcpInfo;
    nix::getsockopt_impl!(TcpInfo, libc::IPPROTO_TCP, libc::TCP_INFO, Info, GetStruct<Info>);

    #[derive(Clone)]
    pub(super) struct NotSentLowWater;
    nix::setsockopt_impl!(
        NotSentLowWater,
        libc::IPPROTO_TCP,
        libc::TCP_NOTSENT_LOWAT,
        u32,
        SetStruct<'_, u32>
    );
}

#[cfg(target_os = "linux")]
fn rtt_us(socket: &OwnedFd) -> Option<u32> {
    let info = nix::sys::socket::getsockopt(socket, linux::TcpInfo).ok()?;
    info.get(linux::RTT).copied().filter(|us| *us > 0)
}

#[cfg(target_os = "linux")]
fn limit_unsent(socket: &impl AsFd) {
    if let Err(error) = nix::sys::socket::setsockopt(socket, linux::NotSentLowWater, &UNSENT) {
        tracing::debug!(%error, "what waits in the kernel cannot be limited");
    }
}

#[cfg(not(target_os = "linux"))]
fn rtt_us(_: &OwnedFd) -> Option<u32> {
    None
}

#[cfg(not(target_os = "linux"))]
fn limit_unsent(_: &impl AsFd) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn round_trip_time_of_a_connection_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut there, _) = listener.accept().unwrap();
        here.write_all(b"ping").unwrap();
        there.read_exact(&mut [0; 4]).unwrap();
        let rtt = TcpView::of(&here).rtt_ms().unwrap();
        assert!((1..1_000).contains(&rtt), "{rtt}");
    }

    #[test]
    fn little_waits_in_the_kernel_for_a_peer_that_never_reads() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (there, _) = listener.accept().unwrap();
        let _view = TcpView::of(&here);
        let (mut out, data) = (&here, vec![0; 64 * 1024 * 1024]);
        here.set_nonblocking(true).unwrap();
        let written = out.write(&data).unwrap();
        // What the peer's kernel takes is sent; the rest waits with us.
        assert!(written < 16 * 1024 * 1024, "{written}");
        drop(there);
    }
}
