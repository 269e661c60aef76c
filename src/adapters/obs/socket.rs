//! A WebSocket to OBS: opening, reading and writing, and why it ended.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use url::Url;

use crate::adapters::remote::repeat;
use crate::ports::Disconnect;

/// The largest message that is read. The list of the scenes of a large collection has some hundred kilobytes.
const MAX_MESSAGE: usize = 8 * 1024 * 1024;
/// How long writing may take. A frozen OBS accepts nothing after a while.
const WRITE: Duration = Duration::from_secs(4);
const CLOSE: Duration = Duration::from_millis(200);

/// The connection.
pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(super) async fn open(url: &Url) -> Result<Self, Disconnect> {
        let config =
            WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
        let opened = Box::pin(connect_async_with_config(url.as_str(), Some(config), true)).await;
        let (socket, _) = opened.map_err(|error| Disconnect::Unreachable(words(&error)))?;
        Ok(Self(socket))
    }

    /// The next text. Nothing is lost if this is dropped.
    pub(super) async fn read(&mut self) -> Result<String, Disconnect> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Disconnect::Closed(words(&error))),
                None => return Err(Disconnect::Closed("without a reason".to_owned())),
            }
        }
    }

    pub(super) async fn write(&mut self, text: String) -> Result<(), Disconnect> {
        let written = timeout(WRITE, self.0.send(Message::text(text))).await;
        written.map_err(|_| Disconnect::Unresponsive)?.map_err(|error| Disconnect::Closed(words(&error)))
    }

    /// Closes the connection with a close frame, if that is possible at once.
    pub(super) async fn close(mut self) {
        let _ = timeout(CLOSE, self.0.close(None)).await;
    }
}

/// The meaning of OBS's close codes.
fn closed(frame: Option<CloseFrame>) -> Disconnect {
    let Some(frame) = frame else { return Disconnect::Closed("without a reason".to_owned()) };
    match u16::from(frame.code) {
        4009 => Disconnect::WrongPassword,
        4006 | 4010 => Disconnect::UnsupportedVersion,
        4011 => Disconnect::Kicked,
        code => Disconnect::Closed(repeat(&format!("{code} {}", frame.reason.as_str()))),
    }
}

fn words(error: &Error) -> String {
    match error {
        Error::Http(response) => {
            format!("it answered HTTP {} instead of opening a WebSocket", response.status().as_u16())
        }
        other => repeat(&other.to_string()),
    }
}
