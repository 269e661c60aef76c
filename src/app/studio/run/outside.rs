//! What the parts of a supervisor share: the studio's setup, the clocks, and the right to act.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use super::clock::TwoClocks;
use super::player::Playing;
use super::scenes::{self, Made};
use crate::app::studio::setup::StudioSetup;
use crate::domain::studio::{
    ContentName, Drill, Findings, Moment, Observation, StreamSample, Studio, Verification,
};
use crate::ports::obs_values::ObsStats;
use crate::ports::{LeaseCheck, ObsError, StoreError};

/// What the parts of a supervisor share.
#[derive(Clone)]
pub(super) struct Outside {
    pub(super) setup: Arc<StudioSetup>,
    pub(super) clock: TwoClocks,
    /// Whether this instance may still act.
    pub(super) lease: LeaseCheck,
    pub(super) messages: mpsc::Sender<Message>,
    /// Two who make the same scene see it half made.
    pub(super) making: Arc<Mutex<()>>,
}

/// What persons ordered.
#[derive(Debug)]
pub(super) struct Orders {
    /// The studio; `None` if it is not stored any more.
    pub(super) studio: Option<Studio>,
    /// The drill that has not ended.
    pub(super) drill: Option<Drill>,
}

/// What a part of a supervisor tells it.
#[derive(Debug)]
pub(super) enum Message {
    /// Something was seen, at this moment.
    Seen(Moment, Observation),
    /// The stream's state, for the meter too.
    Stream(Moment, StreamSample),
    /// How busy OBS is.
    Stats(ObsStats),
    /// OBS got the order to play.
    Sent(Playing),
    /// What persons ordered was read.
    Orders(Result<Box<Orders>, StoreError>),
    /// The pre-flight checks were made.
    Checked(Findings),
    /// A file was verified.
    Verified(ContentName, Verification),
    /// A file could not be verified now.
    NotVerified,
    /// A restart of OBS was tried; the error has no secrets.
    Restarted(Result<(), String>),
    /// A drill's failure was made, or why not.
    Drilled(Result<(), String>),
}

impl Outside {
    /// Tells the supervisor. It reads for as long as its parts run.
    pub(super) async fn send(&self, message: Message) {
        let _ = self.messages.send(message).await;
    }

    /// Makes the scenes and inputs that are missing in OBS.
    pub(super) async fn make_scenes(&self) -> Made {
        let _one_at_a_time = self.making.lock().await;
        scenes::make(self.setup.obs.as_ref(), &self.setup.settings.scenes).await
    }

    /// Tells what was seen now.
    pub(super) async fn saw(&self, observation: Observation) {
        self.send(Message::Seen(self.clock.now(), observation)).await;
    }

    /// Carries out a request to OBS, and tells whether it answered. `None` if it has no result.
    pub(super) async fn answer<T>(&self, request: impl Future<Output = Result<T, ObsError>>) -> Option<T> {
        let sent = self.clock.now();
        match request.await {
            Ok(answer) => {
                self.saw(Observation::Answered).await;
                Some(answer)
            }
            Err(ObsError::TimedOut) => {
                self.saw(Observation::Unanswered { sent }).await;
                None
            }
            Err(error) => {
                tracing::debug!(studio = %self.setup.name, %error, "a request to OBS has no result");
                None
            }
        }
    }
}
