//! OBS behind the port [`ObsControl`]: a client of obs-websocket 5, which OBS has since version 28.
//!
//! It uses names only, which every version accepts, and nothing that came after 5.0. Measured with OBS 29.0.2;
//! `tests/studio` runs the same checks against that and against the fake one of the tests.
//!
//! * OBS answers several requests of a connection at a time, in any order.
//! * A process that is stopped by a signal keeps the connection and answers nothing, not even pings. So the connection
//!   sends a small request every second (`connection.rs`).
//! * While OBS loads, it answers 207 (since 5.3). Such a request was not carried out, and is repeated.
//! * Its server listens on all addresses. The password is the only protection.

mod answers;
mod connection;
mod events;
mod levels;
mod picture;
mod protocol;
mod queue;
mod requests;
mod settings;
mod socket;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::mem::discriminant;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};

pub use settings::{ObsSettings, Timing};

use self::connection::{Connection, NOT_READY, Request};
use self::levels::Levels;
use self::protocol::Refusal;
use self::queue::Queue;
use crate::adapters::remote::repeat;
use crate::ports::{Disconnect, ObsError, ObsSignal};

/// Codes of `RequestStatus` that mean something to us.
mod code {
    pub(super) const UNKNOWN_REQUEST: u16 = 204;
    pub(super) const OUTPUT_RUNNING: u16 = 500;
    pub(super) const OUTPUT_NOT_RUNNING: u16 = 501;
    pub(super) const NOT_FOUND: u16 = 600;
    pub(super) const EXISTS: u16 = 601;
    pub(super) const INVALID_KIND: u16 = 605;
}

/// Where requests go.
enum Link {
    Up(mpsc::Sender<Request>),
    Down(Disconnect),
}

/// One OBS.
pub struct ObsClient {
    settings: ObsSettings,
    /// For the log.
    address: String,
    link: Mutex<Link>,
    queue: Queue,
    levels: Mutex<Levels>,
    measure: watch::Sender<bool>,
}

impl ObsClient {
    /// Connects to nothing yet.
    pub fn new(settings: ObsSettings) -> Self {
        let port = settings.url.port_or_known_default().unwrap_or_default();
        Self {
            address: format!("{}:{port}", settings.url.host_str().unwrap_or_default()),
            settings,
            link: Mutex::new(Link::Down(Disconnect::Opening)),
            queue: Queue::default(),
            levels: Mutex::default(),
            measure: watch::Sender::new(false),
        }
    }

    /// Keeps a connection for ever.
    #[expect(clippy::infinite_loop, reason = "its result says that it never returns")]
    async fn connect(&self) -> Infallible {
        let mut without = Instant::now();
        loop {
            let ended = match Connection::open(self).await {
                Ok(connection) => {
                    let (ended, was_ready) = connection.run().await;
                    if was_ready {
                        without = Instant::now();
                    }
                    ended
                }
                Err(ended) => ended,
            };
            self.disconnected(&ended);
            let is_refused = matches!(
                ended,
                Disconnect::PasswordRequired
                    | Disconnect::WrongPassword
                    | Disconnect::UnsupportedVersion
                    | Disconnect::Kicked
            );
            let timing = self.settings.timing;
            sleep(if is_refused { timing.refused } else { timing.pause(without.elapsed()) }).await;
        }
    }

    /// Notes that requests cannot be sent. Announces it if the reason is another one than before.
    fn disconnected(&self, reason: &Disconnect) {
        let is_known = match &*self.link() {
            Link::Up(_) => false,
            Link::Down(known) => discriminant(known) == discriminant(reason),
        };
        self.set_link(Link::Down(reason.clone()));
        self.levels().clear();
        if !is_known {
            tracing::warn!(obs = %self.address, %reason, "OBS is not connected; trying again");
            self.queue.push(ObsSignal::Disconnected(reason.clone()));
        }
    }

    /// Sends a request and waits for its answer. Repeats it while OBS is loading.
    async fn request(&self, name: &'static str, data: Value) -> Result<Value, ObsError> {
        let deadline = Instant::now() + self.settings.timing.request;
        let mut is_loading = false;
        loop {
            match timeout_at(deadline, self.request_once(name, data.clone())).await {
                Ok(Ok(Err(Refusal { code: NOT_READY, .. }))) => is_loading = true,
                Ok(Ok(answer)) => return answer.map_err(|refusal| refused(name, refusal)),
                Ok(Err(reason)) => return Err(ObsError::NotConnected(reason)),
                Err(_) => return Err(if is_loading { ObsError::Loading } else { ObsError::TimedOut }),
            }
            sleep(self.settings.timing.loading).await;
        }
    }

    async fn request_once(&self, name: &'static str, data: Value) -> Result<connection::Answer, Disconnect> {
        let requests = match &*self.link() {
            Link::Up(requests) => requests.clone(),
            Link::Down(reason) => return Err(reason.clone()),
        };
        let (answer, answered) = oneshot::channel();
        let ended = || Disconnect::Closed("before the answer".to_owned());
        requests.send(Request { name, data, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_link(&self, link: Link) {
        *self.link() = link;
    }

    fn levels(&self) -> MutexGuard<'_, Levels> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(request: &'static str, Refusal { code, comment }: Refusal) -> ObsError {
    let comment = repeat(&comment);
    match code {
        code::UNKNOWN_REQUEST => ObsError::Unsupported(format!("it does not know the request {request}")),
        code::INVALID_KIND => ObsError::Unsupported(comment),
        code::NOT_FOUND => ObsError::NotFound(comment),
        code => ObsError::Refused { request, code, comment },
    }
}
