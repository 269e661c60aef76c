//! The client: where requests go, what waits for the receiver of its signals, and the levels of the inputs.

use std::mem::discriminant;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::levels::Levels;
use super::protocol::Refusal;
use super::queue::Queue;
use super::settings::ObsSettings;
use crate::adapters::remote::repeat;
use crate::ports::{Disconnect, ObsError, ObsSignal};

/// Codes of `RequestStatus` that mean something to us.
pub(super) mod code {
    pub(in crate::adapters::obs) const UNKNOWN_REQUEST: u16 = 204;
    pub(in crate::adapters::obs) const OUTPUT_RUNNING: u16 = 500;
    pub(in crate::adapters::obs) const OUTPUT_NOT_RUNNING: u16 = 501;
    pub(in crate::adapters::obs) const NOT_FOUND: u16 = 600;
    pub(in crate::adapters::obs) const EXISTS: u16 = 601;
    pub(in crate::adapters::obs) const INVALID_KIND: u16 = 605;
}

/// OBS's code for "still loading".
pub(super) const NOT_READY: u16 = 207;

/// The answer to a request.
pub(super) type Answer = Result<Value, Refusal>;

/// A request of the application.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) name: &'static str,
    pub(super) data: Value,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// Where requests go.
pub(super) enum Link {
    Up(mpsc::Sender<Request>),
    Down(Disconnect),
}

/// One OBS.
pub struct ObsClient {
    pub(super) settings: ObsSettings,
    /// For the log.
    pub(super) address: String,
    link: Mutex<Link>,
    pub(super) queue: Queue,
    levels: Mutex<Levels>,
    pub(super) measure: watch::Sender<bool>,
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

    /// Notes that requests cannot be sent. Announces it if the reason is another one than before.
    pub(super) fn disconnected(&self, reason: &Disconnect) {
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
    pub(super) async fn request(&self, name: &'static str, data: Value) -> Result<Value, ObsError> {
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

    async fn request_once(&self, name: &'static str, data: Value) -> Result<Answer, Disconnect> {
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

    pub(super) fn set_link(&self, link: Link) {
        *self.link() = link;
    }

    pub(super) fn levels(&self) -> MutexGuard<'_, Levels> {
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
