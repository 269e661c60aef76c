//! Watches the process of OBS and the far end of its stream.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::observer::Reading;
use super::outside::Outside;
use crate::domain::studio::{FarEndReport, Observation};
use crate::ports::{Arrival, ArrivalProbe, ObsLauncher, ProcessState};

/// How often the process is checked while OBS does not answer; and while it does, which proves that it runs.
const PROCESS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// At the beginning, an OBS that does not answer for this long is not there.
const NOT_THERE: Duration = Duration::from_secs(2);
/// How often the far end is read.
const FAR_END: Duration = Duration::from_secs(1);

/// Watches what the studio has.
pub(super) fn spawn(outside: &Outside, reading: watch::Receiver<Reading>, parts: &mut JoinSet<()>) {
    if let Some(launcher) = outside.setup.launcher.clone() {
        let outside = outside.clone();
        parts.spawn(async move { match process(&outside, launcher.as_ref(), &reading).await {} });
    }
    if let Some(arrival) = outside.setup.arrival.clone() {
        let outside = outside.clone();
        parts.spawn(async move { match far_end(&outside, arrival.as_ref()).await {} });
    }
}

/// Tells when the process ended.
#[expect(clippy::infinite_loop, reason = "its result says that it never returns")]
async fn process(
    outside: &Outside,
    launcher: &dyn ObsLauncher,
    reading: &watch::Receiver<Reading>,
) -> Infallible {
    let (began, mut has_run, mut is_said) = (Instant::now(), false, false);
    loop {
        let is_connected = || reading.borrow().connection > 0;
        match launcher.state().await {
            Ok(ProcessState::Running { .. }) => (has_run, is_said) = (true, false),
            Ok(ProcessState::Ended { .. }) if !has_run => {
                // Unless a person started one, OBS is started now.
                if !is_said && !is_connected() && began.elapsed() >= NOT_THERE {
                    is_said = true;
                    outside.saw(Observation::ProcessEnded).await;
                }
            }
            Ok(ProcessState::Ended { last_words }) => {
                (has_run, is_said) = (false, true);
                tracing::error!(
                    studio = %outside.setup.name, last_words = last_words.join("\n"), "the process of OBS ended"
                );
                outside.saw(Observation::ProcessEnded).await;
            }
            Err(error) => {
                tracing::debug!(studio = %outside.setup.name, %error, "the process of OBS cannot be watched");
            }
        }
        sleep(if is_connected() { PROCESS.1 } else { PROCESS.0 }).await;
    }
}

/// Tells what the far end sees.
#[expect(clippy::infinite_loop, reason = "its result says that it never returns")]
async fn far_end(outside: &Outside, arrival: &dyn ArrivalProbe) -> Infallible {
    let mut problem = None;
    loop {
        let began = Instant::now();
        let (report, error) = match arrival.arrival().await {
            // The first reading of a connection has no bitrate yet.
            Ok(Some(Arrival { kbps: None, .. })) => (None, None),
            Ok(Some(Arrival { kbps: Some(kbps), .. })) => (Some(FarEndReport::Arriving { kbps }), None),
            Ok(None) => (Some(FarEndReport::Absent), None),
            Err(error) => (Some(FarEndReport::Unanswered), Some(error.to_string())),
        };
        if error != problem {
            if let Some(error) = &error {
                tracing::warn!(studio = %outside.setup.name, error, "the far end does not say whether the stream arrives");
            }
            problem = error;
        }
        if let Some(report) = report {
            outside.saw(Observation::FarEnd(report)).await;
        }
        sleep(FAR_END.saturating_sub(began.elapsed())).await;
    }
}
