//! Reads an RTMP input, and connects again while it is absent.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::supervised::supervised;
use crate::adapters::rtmp::{Address, Connector, Frame, Player, RtmpError, Unsupported};
use crate::domain::secret::Secret;

/// An input that gives nothing for this long is connected again.
const SILENT: Duration = Duration::from_secs(10);
/// How long to wait before connecting again: shorter after a connection that gave frames.
const WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What happened at an input.
#[derive(Debug)]
pub(super) enum InputEvent {
    Connected,
    Frame(Result<Frame, Unsupported>),
    Ended,
    /// A frame that was normalised.
    Normalised(Frame),
    /// Nothing is normalised for a while, and why.
    NotNormalised(String),
}

/// Reads the stream at `url` until nobody wants its events.
pub(super) async fn read(url: Secret, connector: Connector, events: mpsc::Sender<InputEvent>) {
    supervised("input", || read_again_and_again(&url, &connector, &events)).await;
}

async fn read_again_and_again(url: &Secret, connector: &Connector, events: &mpsc::Sender<InputEvent>) {
    let mut wait = WAIT;
    loop {
        let had_frames = match Address::parse_stream(url.expose()) {
            Ok((address, name)) => read_once(&address, name, connector, events).await,
            Err(_) => false,
        };
        if events.is_closed() {
            return;
        }
        wait = if had_frames { WAIT } else { (wait * 2).min(LONGEST_WAIT) };
        sleep(wait).await;
    }
}

/// Reads until the stream ends. Returns whether there were frames.
async fn read_once(
    address: &Address,
    name: Secret,
    connector: &Connector,
    events: &mpsc::Sender<InputEvent>,
) -> bool {
    let mut player = match Player::open(connector, address, name).await {
        Ok(player) => player,
        Err(error) => {
            tracing::debug!(%error, "an input cannot be read");
            return false;
        }
    };
    let mut had_frames = false;
    loop {
        let silent = |_| RtmpError::silent();
        let frame = match timeout(SILENT, player.next()).await.map_err(silent).flatten() {
            Ok(frame) => frame,
            Err(error) => {
                tracing::debug!(%error, "an input ended");
                break;
            }
        };
        // A server may accept a player before there is a publisher.
        if !had_frames && events.send(InputEvent::Connected).await.is_err() {
            return had_frames;
        }
        had_frames = true;
        if events.send(InputEvent::Frame(frame)).await.is_err() {
            return had_frames;
        }
    }
    if had_frames {
        let _ = events.send(InputEvent::Ended).await;
    }
    had_frames
}
