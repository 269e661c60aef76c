//! Reaches an SRT listener: the program that pushes, the name, and the induction, which is the first half of SRT's
//! handshake. It names no stream and needs no key (draft-sharabayko-srt-01, 3.2.1 and 4.3.1.1).

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{Instant, timeout};

use crate::adapters::ffmpeg::can_push_srt;
use crate::domain::channel::SrtAddress;
use crate::ports::{ProbeStep, ProbedStep};

/// How long a step may take.
const STEP: Duration = Duration::from_secs(4);
/// The induction is repeated after this time: UDP may lose it.
const AGAIN: Duration = Duration::from_millis(250);

/// Takes each step until one fails.
pub(super) async fn check(address: &SrtAddress) -> Vec<ProbedStep> {
    let mut steps = Vec::new();
    let reached = async {
        step(&mut steps, ProbeStep::Program, can_push_srt()).await?;
        let found = step(&mut steps, ProbeStep::Name, lookup(address)).await?;
        step(&mut steps, ProbeStep::Handshake, induce(found)).await
    };
    // What failed is the last step.
    reached.await.unwrap_or(());
    steps
}

async fn step<T>(
    steps: &mut Vec<ProbedStep>,
    step: ProbeStep,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, ()> {
    let began = Instant::now();
    let slow = |_| format!("no answer within {} seconds", STEP.as_secs());
    let result = timeout(STEP, work).await.map_err(slow).flatten();
    let error = result.as_ref().err().cloned();
    steps.push(ProbedStep { step, took: began.elapsed(), error });
    result.map_err(drop)
}

async fn lookup(address: &SrtAddress) -> Result<SocketAddr, String> {
    let host = &address.host;
    let mut found = lookup_host((host.as_str(), address.port))
        .await
        .map_err(|error| format!("the name {host} was not found: {error}"))?;
    found.next().ok_or_else(|| format!("the name {host} was not found: it has no address"))
}

async fn induce(listener: SocketAddr) -> Result<(), String> {
    let broken = |error: std::io::Error| format!("{listener} does not answer: {error}");
    let here = if listener.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(here).await.map_err(broken)?;
    socket.connect(listener).await.map_err(broken)?;
    let mut answer = [0; 1_500];
    loop {
        socket.send(&induction()).await.map_err(broken)?;
        let received = timeout(AGAIN, socket.recv(&mut answer)).await;
        let Ok(length) = received else { continue };
        let length = length.map_err(broken)?;
        return match answer.get(..length) {
            Some(answer) if is_induction_answer(answer) => Ok(()),
            _ => Err(format!("{listener} answers, but it is no SRT listener")),
        };
    }
}

/// Our number of the connection, which never comes about.
const SOCKET: u32 = 0x5354_5744;

/// A handshake packet of a caller: type induction, version 4.
fn induction() -> [u8; 64] {
    let numbers: [u32; 16] = [
        0x8000_0000, // control packet, handshake
        0,
        0,      // timestamp
        0,      // to no socket yet
        4,      // version
        2,      // no encryption; extension field of an induction
        1,      // first sequence number
        1_500,  // MTU
        8_192,  // flow window
        1,      // induction
        SOCKET, // of the caller
        0,      // no cookie yet
        0,
        0,
        0,
        0, // the caller's address, which the listener does not need
    ];
    let mut packet = [0; 64];
    for (to, number) in packet.chunks_exact_mut(4).zip(numbers) {
        to.copy_from_slice(&number.to_be_bytes());
    }
    packet
}

/// Whether a listener of SRT answers: version 5, and the magic number of SRT.
fn is_induction_answer(packet: &[u8]) -> bool {
    let number = |at: usize| -> Option<u32> {
        packet.get(at * 4..at * 4 + 4)?.try_into().ok().map(u32::from_be_bytes)
    };
    number(0) == Some(0x8000_0000)
        && number(3) == Some(SOCKET)
        && number(4) == Some(5)
        && number(5).is_some_and(|field| field & 0xffff == 0x4a17)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use streamward_test_support::fuzz::fuzz;

    use super::*;

    fn answer() -> [u8; 64] {
        let mut packet = induction();
        packet[12..16].copy_from_slice(&SOCKET.to_be_bytes());
        packet[16..24].copy_from_slice(&[0, 0, 0, 5, 0, 0, 0x4a, 0x17]);
        packet
    }

    /// Answers the second packet that comes, as if the first had been lost.
    async fn listener(answer: &'static [u8]) -> (SocketAddr, tokio::task::JoinSet<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (at, mut task) = (socket.local_addr().unwrap(), tokio::task::JoinSet::new());
        task.spawn(async move {
            for round in 0.. {
                let (_, from) = socket.recv_from(&mut [0; 1_500]).await.unwrap();
                if round > 0 {
                    socket.send_to(answer, from).await.unwrap();
                }
            }
        });
        (at, task)
    }

    #[tokio::test]
    async fn listener_is_known_by_its_answer() {
        let (at, _task) = listener(Box::leak(Box::new(answer()))).await;
        assert_eq!(induce(at).await, Ok(()));
        let (at, _task) = listener(b"no").await;
        assert!(induce(at).await.unwrap_err().contains("no SRT listener"));
    }

    #[test]
    fn any_answer_is_read() {
        let edits = (vec((0_usize..64, any::<u8>()), 0..6), 0_usize..65, vec(any::<u8>(), 0..80));
        fuzz(&edits, |(edits, length, noise)| {
            let mut packet = answer();
            for (at, byte) in edits {
                packet[at] = byte;
            }
            let _ = is_induction_answer(&packet[..length]);
            assert!(!is_induction_answer(&noise[..noise.len().min(20)]));
        });
        assert!(is_induction_answer(&answer()));
    }
}
