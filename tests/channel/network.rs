//! What lies between a channel and a platform: TLS, and connections that stall or break.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

/// What a proxy does with each connection.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    /// Accepts it and never reads.
    NeverReads,
    /// Passes everything, and nothing more after this time; the connection stays.
    StallsAfter(Duration),
    /// Ends it after this time.
    DropsAfter(Duration),
}

/// A proxy before a server on this machine. It ends when it is dropped.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    attempts: Arc<Mutex<Vec<Instant>>>,
    _task: JoinSet<()>,
}

impl Proxy {
    pub(crate) fn start(manner: Manner, to: u16) -> Result<Self> {
        // A small window, so that little is on its way to a server that does not read.
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(16 * 1024)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(64)?;
        let (port, attempts) = (listener.local_addr()?.port(), Arc::new(Mutex::new(Vec::new())));
        let (mut task, seen) = (JoinSet::new(), attempts.clone());
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                connections.spawn(pass(tcp, manner, to));
            }
        });
        Ok(Self { port, attempts, _task: task })
    }

    pub(crate) fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.port)
    }

    /// The times between the connections.
    pub(crate) fn waits(&self) -> Vec<Duration> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

async fn pass(mut tcp: TcpStream, manner: Manner, to: u16) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await else { return };
    let limit = match manner {
        Manner::NeverReads => Duration::ZERO,
        Manner::StallsAfter(limit) | Manner::DropsAfter(limit) => limit,
    };
    let _ = tokio::time::timeout(limit, copy_bidirectional(&mut tcp, &mut server)).await;
    if !matches!(manner, Manner::DropsAfter(_)) {
        sleep(Duration::from_secs(3_600)).await;
    }
}

/// A TLS endpoint before a server on this machine, with a certificate for `localhost` that its own authority signed.
pub(crate) struct Tls {
    pub(crate) port: u16,
    /// The certificate of the authority, in PEM.
    pub(crate) authority: String,
    _task: JoinSet<()>,
}

impl Tls {
    pub(crate) async fn start(to: u16) -> Result<Self> {
        let (authority, config) = certified()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (port, mut task) = (listener.local_addr()?.port(), JoinSet::new());
        task.spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    if let (Ok(tls), Ok(server)) =
                        (acceptor.accept(tcp).await, TcpStream::connect(("127.0.0.1", to)).await)
                    {
                        both_ways(tls, server).await;
                    }
                });
            }
        });
        Ok(Self { port, authority, _task: task })
    }

    pub(crate) fn url(&self) -> String {
        format!("rtmps://localhost:{}/live", self.port)
    }
}

async fn both_ways(
    mut one: impl AsyncRead + AsyncWrite + Unpin,
    mut other: impl AsyncRead + AsyncWrite + Unpin,
) {
    let _ = copy_bidirectional(&mut one, &mut other).await;
}

fn certified() -> Result<(String, rustls::ServerConfig)> {
    let mut parameters = rcgen::CertificateParams::new(Vec::new())?;
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    let authority = rcgen::Issuer::new(parameters, key);
    let server_key = rcgen::KeyPair::generate()?;
    let server =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&server_key, &authority)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::try_from(server_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], private)?;
    Ok((certificate.pem(), config))
}
