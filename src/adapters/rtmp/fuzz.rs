//! Random input from malicious servers: chunks and AMF as RTMP has them, and whole conversations over TCP.

use std::convert::Infallible;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use streamward_test_support::fuzz::fuzz;
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::connect::Connection;
use super::session::Session;
use super::tcp::TcpView;
use super::{Address, Player, Prepared, Publisher, RtmpError, Step};
use crate::domain::secret::Secret;

/// One value of AMF0, with lengths and counts that need not be true.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let text = |text: Vec<u8>| {
        let length = u16::try_from(text.len()).unwrap();
        [&[2][..], &length.to_be_bytes(), &text].concat()
    };
    let words = select(
        &[
            "_result",
            "_error",
            "onStatus",
            "code",
            "level",
            "error",
            "status",
            "description",
            "close",
            "NetStream.Publish.Start",
            "NetStream.Play.Start",
            "NetConnection.Connect.Success",
            "",
        ][..],
    );
    let leaf = prop_oneof![
        4 => words.prop_map(move |word| text(word.as_bytes().to_vec())),
        1 => vec(any::<u8>(), 0..40).prop_map(text),
        3 => any::<f64>().prop_map(|number| [&[0][..], &number.to_be_bytes()].concat()),
        2 => (0_u32..8).prop_map(|number| [&[0][..], &f64::from(number).to_be_bytes()].concat()),
        1 => any::<bool>().prop_map(|it| vec![1, u8::from(it)]),
        1 => Just(vec![5]),
        1 => vec(any::<u8>(), 1..12),
    ];
    leaf.prop_recursive(24, 96, 4, |inner| {
        let fields = vec((select(&["code", "level", "description", "x", ""][..]), inner.clone()), 0..4);
        let object =
            (any::<bool>(), any::<u32>(), fields, any::<bool>()).prop_map(|(is_map, count, fields, ends)| {
                let mut out = if is_map { [&[8][..], &count.to_be_bytes()].concat() } else { vec![3] };
                for (name, value) in fields {
                    out.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
                    out.extend(name.as_bytes());
                    out.extend(value);
                }
                if ends {
                    out.extend([0, 0, 9]);
                }
                out
            });
        let array = (any::<u32>(), vec(inner, 0..4))
            .prop_map(|(count, values)| [&[10][..], &count.to_be_bytes(), &values.concat()].concat());
        prop_oneof![object, array]
    })
}

/// Tags of both tracks.
const MEDIA: &[&[u8]] =
    &[b"\x17\x01\0\0\0\0\0\0\x01\x65", b"\x17\0\0\0\0\x01\x64", b"\xaf\0\x11\x90", b"\xaf\x01\x21"];

/// A message of any type, whose body may be longer or shorter than it says.
fn chunk() -> impl Strategy<Value = Vec<u8>> {
    let kinds = select(&[1_u8, 2, 3, 4, 5, 6, 8, 9, 15, 17, 18, 20, 22][..]);
    let body = prop_oneof![
        4 => vec(value(), 0..6).prop_map(|values| values.concat()),
        2 => vec(any::<u8>(), 0..40),
        1 => select(MEDIA).prop_map(<[u8]>::to_vec),
    ];
    let head = (0_u8..4, 2_u8..64, prop_oneof![Just(0xff_ffff_u32), any::<u32>()], -3_i64..4);
    (head, prop_oneof![9 => kinds, 1 => any::<u8>()], any::<u32>(), body).prop_map(
        |((form, stream, timestamp, off), kind, of, body)| {
            let mut out = vec![form << 6 | stream];
            let length = u32::try_from((body.len() as i64 + off).max(0)).unwrap();
            if form < 3 {
                out.extend(&timestamp.to_be_bytes()[1..]);
            }
            if form < 2 {
                out.extend(&length.to_be_bytes()[1..]);
                out.push(kind);
            }
            if form == 0 {
                out.extend(of.to_le_bytes());
            }
            if form < 3 && timestamp & 0xff_ffff == 0xff_ffff {
                out.extend(timestamp.to_be_bytes());
            }
            // In chunks of the size that RTMP begins with.
            for (at, part) in body.chunks(128).enumerate() {
                if at > 0 {
                    out.push(0xc0 | stream);
                }
                out.extend(part);
            }
            out
        },
    )
}

#[test]
fn any_chunks_of_a_server_are_read_or_an_error() {
    fuzz(&(vec(chunk(), 1..12), 1_usize..400), |(chunks, piece)| {
        let (mut session, mut out) = (Session::new(), Vec::new());
        session.connect("app", "rtmp://host/app", &mut out).ok().unwrap();
        session.publish(1, "key", &mut out).ok().unwrap();
        let sent = out.len();
        for bytes in chunks.concat().chunks(piece) {
            if session.receive(bytes, &mut out).is_err() {
                break;
            }
        }
        assert!(out.len() < sent + 64 * 1024);
    });
}

/// What servers say when they accept: each part is an answer to what the client sends. The first has the handshake.
fn accepted() -> [Vec<u8>; 3] {
    let number = |number: u8| [&[0][..], &f64::from(number).to_be_bytes()].concat();
    let result =
        |transaction: u8, more: &[u8]| [&b"\x02\0\x07_result"[..], &number(transaction), &[5], more].concat();
    let status = |code: &[u8]| {
        let length = u16::try_from(code.len()).unwrap().to_be_bytes();
        let begin = b"\x02\0\x08onStatus\0\0\0\0\0\0\0\0\0\x05\x03\0\x04code\x02";
        [&begin[..], &length, code, b"\0\0\x09"].concat()
    };
    let message = |body: &[u8]| {
        [&[3, 0, 0, 0, 0, 0, u8::try_from(body.len()).unwrap(), 20, 0, 0, 0, 0][..], body].concat()
    };
    let window = b"\x02\0\0\0\0\0\x04\x05\0\0\0\0\0\x26\x25\xa0";
    let handshake = [&[3][..], &[0; 2 * 1_536]].concat();
    // A publisher creates its stream with the fourth command, a player with the second.
    let created = [message(&result(4, &number(1))), message(&result(2, &number(1)))].concat();
    let begun = [&b"NetStream.Publish.Start"[..], b"NetStream.Play.Start"].map(|code| message(&status(code)));
    [[&handshake[..], window, &message(&result(1, &[5]))].concat(), created, begun.concat()]
}

/// Sends each part when the client has answered the one before.
async fn serve(mut io: DuplexStream, parts: Vec<Vec<u8>>) {
    for part in parts {
        io.write_all(&part).await.unwrap();
        for _ in 0..4 {
            yield_now().await;
        }
    }
    io.shutdown().await.unwrap();
    // The client can write on.
    std::future::pending::<()>().await;
}

const KEY: &str = "key-of-a-platform";

/// Publishes or plays over `io` until that fails.
async fn until_error(io: DuplexStream, plays: bool) -> Result<Infallible, RtmpError> {
    let (address, key) = (Address::parse("rtmp://host/live").unwrap(), Secret::new(KEY));
    let connection = Connection::open(Box::new(io), TcpView::none(), &address, &mut Vec::new()).await?;
    if plays {
        let mut player = Player::begin(connection, key).await?;
        loop {
            let _ = player.next().await?;
        }
    }
    let mut publisher = Publisher::begin(Prepared(connection), key, &mut Vec::new()).await?;
    loop {
        publisher.listen().await?;
        publisher.send().await?;
    }
}

async fn ended(parts: Vec<Vec<u8>>, plays: bool) -> RtmpError {
    let (here, there) = tokio::io::duplex(1 << 20);
    let Err(error) = tokio::select! {
        error = until_error(here, plays) => error,
        () = serve(there, parts) => unreachable!(),
        () = sleep(Duration::from_secs(4)) => panic!("it never ends"),
    };
    error
}

#[tokio::test]
async fn server_that_accepts_gets_as_far_as_media() {
    for plays in [false, true] {
        let error = ended(accepted().to_vec(), plays).await;
        assert_eq!(
            (error.step, &*error.message),
            (Step::Media, "the server closed the connection"),
            "{plays}"
        );
    }
}

#[test]
fn any_server_is_left_with_an_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let edits = vec((0_usize..3, 1_usize..200, any::<u8>()), 0..4);
    fuzz(&(edits, vec(chunk(), 0..6), any::<bool>()), |(edits, chunks, plays)| {
        let mut parts = accepted();
        for (part, at, byte) in edits {
            let part = &mut parts[part];
            let whole = part.len();
            part[whole - at.min(whole)] = byte;
        }
        let parts = parts.into_iter().chain(chunks).collect();
        let error = runtime.block_on(ended(parts, plays));
        assert!(!error.message.contains(KEY) && error.message.chars().count() <= 300, "{error}");
    });
}
