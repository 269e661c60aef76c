//! WebSockets: opening, reading and writing, each with a timeout.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::protocol::{Ended, Reconnect, printable};
use super::realtime::{CONNECT, ORIGIN, Provider};

/// Largest message that is read. Status updates have less than a kibibyte.
const MAX_MESSAGE: usize = 256 * 1024;
/// Read buffer of each connection.
const READ_BUFFER: usize = 8 * 1024;
/// How long writing may take. A half-open connection accepts nothing after a while.
const WRITE: Duration = Duration::from_secs(10);
/// How long closing may take.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);
/// The code of a close frame without one (RFC 6455, 7.1.5).
const NO_CODE: u16 = 1005;

/// An open connection.
pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What came in.
pub(super) enum Incoming {
    Text(Utf8Bytes),
    Binary,
    /// A ping or pong.
    Control,
    /// The code and the reason.
    Close(u16, String),
}

/// TLS with the certificates of the system, read once for all connections.
pub(super) fn tls() -> Connector {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::warn!("no root certificates were found; feeds over TLS cannot be reached");
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Connector::Rustls(Arc::new(config))
}

impl Socket {
    pub(super) async fn open(provider: &Provider, tls: Connector) -> Result<Self, Ended> {
        let failed = |error| not_opened(&error);
        let mut request = provider.url.as_str().into_client_request().map_err(failed)?;
        let agent = concat!("streamward/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert("origin", HeaderValue::from_static(ORIGIN));
        request.headers_mut().insert("user-agent", HeaderValue::from_static(agent));
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let opening = connect_async_tls_with_config(request, Some(config), true, Some(tls));
        match timeout(CONNECT, Box::pin(opening)).await {
            Ok(opened) => opened.map(|(socket, _)| Self(socket)).map_err(failed),
            Err(_) => {
                Err(Ended::new(Reconnect::Soon, "not_opened", "the connection could not be opened in time"))
            }
        }
    }

    /// The next message. Nothing is lost if this is dropped.
    pub(super) async fn read(&mut self) -> Result<Incoming, Ended> {
        let lost = |text| Err(Ended::new(Reconnect::Soon, "lost", text));
        match self.0.next().await {
            None => lost("the connection ended without a close frame".to_owned()),
            Some(Err(error)) => lost(format!("the connection broke: {error}")),
            Some(Ok(Message::Text(text))) => Ok(Incoming::Text(text)),
            Some(Ok(Message::Binary(_))) => Ok(Incoming::Binary),
            Some(Ok(Message::Close(frame))) => {
                let code = frame.as_ref().map_or(NO_CODE, |frame| frame.code.into());
                Ok(Incoming::Close(
                    code,
                    frame.map(|frame| frame.reason.as_str().to_owned()).unwrap_or_default(),
                ))
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Incoming::Control),
        }
    }

    /// Writes all messages.
    pub(super) async fn write(&mut self, messages: Vec<Message>) -> Result<(), Ended> {
        if messages.is_empty() {
            return Ok(());
        }
        let writing = async {
            for message in messages {
                self.0.feed(message).await?;
            }
            self.0.flush().await
        };
        match timeout(WRITE, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                Err(Ended::new(Reconnect::Soon, "lost", format!("the connection broke: {error}")))
            }
            Err(_) => {
                Err(Ended::new(Reconnect::Immediately, "silent", "nothing could be written for too long"))
            }
        }
    }

    /// Closes the connection with a close frame if that is possible at once.
    pub(super) async fn close(mut self) {
        let _ = timeout(CLOSE_TIMEOUT, self.0.close(None)).await;
    }
}

fn not_opened(error: &Error) -> Ended {
    match error {
        Error::Http(response) => {
            let status = response.status().as_u16();
            let reconnect =
                if matches!(status, 401 | 403) { Reconnect::Rejected } else { Reconnect::AfterBackoff };
            Ended::new(
                reconnect,
                "refused",
                format!("the server answered {status} instead of opening a WebSocket"),
            )
        }
        other => Ended::new(
            Reconnect::Soon,
            "not_opened",
            format!("the connection could not be opened: {}", printable(&other.to_string())),
        ),
    }
}
