//! Tests of the client against a server.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use streamward_test_support::fuzz::fuzz;

use super::flv::FlvReader;
use super::session::Session;
use super::test_server::{Manner, TestServer};
use super::{Address, Connector, Frame, Player, Publisher, Step, check};
use crate::domain::secret::Secret;

fn frames() -> Vec<Frame> {
    let mut reader = FlvReader::new(&include_bytes!("../mixer/slate.flv")[..]).unwrap();
    std::iter::from_fn(|| reader.next_frame().unwrap()).collect()
}

fn connector() -> Connector {
    Connector::new([]).unwrap()
}

fn address(server: &TestServer) -> Address {
    Address::parse(&format!("rtmp://127.0.0.1:{}/live", server.port)).unwrap()
}

#[tokio::test]
async fn published_frames_arrive_as_they_are_also_after_the_timestamps_wrap() {
    let server = TestServer::start(Manner::Normal).await;
    let mut steps = Vec::new();
    let (connector, address) = (connector(), address(&server));
    let prepared = Publisher::prepare(&connector, &address, &mut steps).await.unwrap();
    let mut publisher = Publisher::begin(prepared, Secret::new("key"), &mut steps).await.unwrap();
    let taken: Vec<Step> = steps.iter().map(|step| step.step).collect();
    assert_eq!(taken, [Step::Name, Step::Tcp, Step::Handshake, Step::Connect, Step::Stream]);
    let sent = frames();
    // Before and after 2^24, where chunks have longer timestamps, and before and after 2^32.
    for begin in [0, (1 << 24) - 1_000, u32::MAX - 1_000] {
        for frame in &sent {
            publisher.add(frame, begin.wrapping_add(frame.timestamp)).unwrap();
            publisher.send().await.unwrap();
        }
    }
    server.until(|frames| frames.len() == sent.len() * 3).await;
    for (at, received) in server.frames().iter().enumerate() {
        let begin = [0, (1 << 24) - 1_000, u32::MAX - 1_000][at / sent.len()];
        let sent = &sent[at % sent.len()];
        assert_eq!(received.frame.payload, sent.payload);
        assert_eq!(received.frame.timestamp, begin.wrapping_add(sent.timestamp));
    }
    publisher.close().await;
}

#[tokio::test]
async fn played_frames_arrive_and_the_end_is_known() {
    let server = TestServer::start(Manner::Normal).await;
    let mut player = Player::open(&connector(), &address(&server), Secret::new("name")).await.unwrap();
    for frame in frames() {
        server.play(frame);
    }
    for frame in frames() {
        assert_eq!(player.next().await.unwrap().unwrap(), frame);
    }
    server.end_players();
    assert_eq!(player.next().await.unwrap_err().step, Step::Media);
}

#[tokio::test]
async fn refusal_has_the_words_of_the_server_and_no_secret() {
    let server = TestServer::start(Manner::Refuses).await;
    let key = Secret::new("abcd-efgh-ijkl");
    let prepared = Publisher::prepare(&connector(), &address(&server), &mut Vec::new()).await.unwrap();
    let error = Publisher::begin(prepared, key, &mut Vec::new()).await.err().unwrap();
    assert!(error.is_refused && error.step == Step::Stream, "{error:?}");
    assert_eq!(
        error.message,
        "the server refused the stream: the key is unknown (NetStream.Publish.BadName)"
    );
    assert_eq!(
        error.without("the key is unknown").message,
        "the server refused the stream: *** (NetStream.Publish.BadName)"
    );
}

#[tokio::test]
async fn check_names_the_step_that_fails() {
    let server = TestServer::start(Manner::Normal).await;
    let steps = check(&connector(), &address(&server)).await;
    assert!(steps.len() == 4 && steps.iter().all(|step| step.error.is_none()), "{steps:?}");
    assert_eq!(server.connections(), 0);
    let port = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let steps = check(&connector(), &Address::parse(&format!("rtmp://127.0.0.1:{port}/x")).unwrap()).await;
    assert!(steps[1].step == Step::Tcp && steps[1].error.is_some() && steps.len() == 2, "{steps:?}");
    let tls = Address::parse(&format!("rtmps://127.0.0.1:{}/x", server.port)).unwrap();
    let steps = check(&connector(), &tls).await;
    assert_eq!(steps.last().unwrap().step, Step::Tls, "{steps:?}");
}

#[tokio::test]
async fn server_over_tls_is_reached_if_its_certificate_is_known() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let server = TestServer::start(Manner::Normal).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = server.port;
    let mut proxies = tokio::task::JoinSet::new();
    proxies.spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            if let Ok(mut tls) = acceptor.accept(tcp).await {
                let mut tcp = tokio::net::TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut tls, &mut tcp).await;
            }
        }
    });
    let address = Address::parse(&format!("rtmps://localhost:{port}/live")).unwrap();
    let unknown = check(&connector(), &address).await;
    assert!(unknown.last().unwrap().error.as_ref().unwrap().contains("certificate"), "{unknown:?}");
    let known = check(&Connector::new([own.cert.der().clone()]).unwrap(), &address).await;
    assert!(known.len() == 5 && known.iter().all(|step| step.error.is_none()), "{known:?}");
    assert!(known.iter().all(|step| step.took < Duration::from_secs(10)));
}

#[test]
fn any_answer_of_a_server_is_read_or_an_error() {
    // A window, a status and a frame, as a server sends them.
    const ANSWER: &[u8] = b"\x02\0\0\0\0\0\x04\x05\0\0\0\0\0\x26\x25\xa0\x03\0\0\0\0\0\x2a\x14\x01\0\0\0\x02\0\x08onStatus\
        \0\0\0\0\0\0\0\0\0\x05\x03\0\x04code\x02\0\x03abc\0\0\x09\x04\0\0\0\0\0\x05\x09\x01\0\0\0\x17\x01\0\0\0";
    let edits = (vec((0..ANSWER.len(), any::<u8>()), 0..10), vec(any::<u8>(), 0..200), 1_usize..64);
    fuzz(&edits, |(edits, noise, piece)| {
        let mut bytes = ANSWER.to_vec();
        for (at, byte) in edits {
            bytes[at] = byte;
        }
        bytes.extend(noise);
        let mut session = Session::new();
        let mut out = Vec::new();
        for piece in bytes.chunks(piece) {
            if session.receive(piece, &mut out).is_err() {
                break;
            }
        }
        assert!(out.len() < 64 * 1024);
    });
}
