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
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::protocol::{Ended, Reconnect, printable};
use super::realtime::{CONNECT, ORIGIN, Provider};

/// Largest message that is read. Status updates have less than a kibibyte.
const MAX_MESSAGE: usize = 256 * 1024;
const READ_BUFFER: usize = 8 * 1024;
/// How long writing may take. A half-open connection accepts nothing after a while.
const WRITE: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

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
        let slow =
            |_| Ended::new(Reconnect::Soon, "not_opened", "the connection could not be opened in time");
        let opened = timeout(CONNECT, Box::pin(opening)).await.map_err(slow)?;
        opened.map(|(socket, _)| Self(socket)).map_err(failed)
    }

    /// The next message. Nothing is lost if this is dropped.
    pub(super) async fn read(&mut self) -> Result<Message, Ended> {
        let no_frame = || Ended::new(Reconnect::Soon, "lost", "the connection ended without a close frame");
        self.0.next().await.ok_or_else(no_frame)?.map_err(|error| broken(&error))
    }

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
        let stuck = |_| Ended::new(Reconnect::Immediately, "silent", "nothing could be written for too long");
        timeout(WRITE, writing).await.map_err(stuck)?.map_err(|error| broken(&error))
    }

    /// Closes the connection with a close frame if that is possible at once.
    pub(super) async fn close(mut self) {
        let _ = timeout(CLOSE_TIMEOUT, self.0.close(None)).await;
    }
}

fn broken(error: &Error) -> Ended {
    Ended::new(Reconnect::Soon, "lost", format!("the connection broke: {error}"))
}

fn not_opened(error: &Error) -> Ended {
    let Error::Http(response) = error else {
        let text = format!("the connection could not be opened: {}", printable(&error.to_string()));
        return Ended::new(Reconnect::Soon, "not_opened", text);
    };
    let status = response.status().as_u16();
    let reconnect = if matches!(status, 401 | 403) { Reconnect::Rejected } else { Reconnect::AfterBackoff };
    Ended::new(reconnect, "refused", format!("the server answered {status} instead of opening a WebSocket"))
}
