//! What waits for the receiver of the signals: bounded, and without losing what the connection did.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use crate::ports::ObsSignal;

/// How many signals wait. OBS sends a handful for each change of scene.
const LIMIT: usize = 256;

/// Signals that were not received yet.
#[derive(Debug, Default)]
pub(super) struct Queue {
    signals: Mutex<VecDeque<ObsSignal>>,
    added: Notify,
}

impl Queue {
    /// Adds a signal. If too many wait, the events among them are replaced by [`ObsSignal::EventsLost`].
    pub(super) fn push(&self, signal: ObsSignal) {
        let mut signals = self.signals();
        if signals.len() >= LIMIT {
            shrink(&mut signals);
        }
        if signals.back() != Some(&ObsSignal::EventsLost) || signal != ObsSignal::EventsLost {
            signals.push_back(signal);
        }
        drop(signals);
        self.added.notify_one();
    }

    /// Sends the signals, each as soon as there is room for it. Without a receiver they are dropped. Never returns.
    #[expect(clippy::infinite_loop, reason = "its result says that it never returns")]
    pub(super) async fn deliver(&self, out: &mpsc::Sender<ObsSignal>) -> Infallible {
        loop {
            self.added.notified().await;
            while !self.signals().is_empty() {
                let Ok(room) = out.reserve().await else {
                    self.signals().clear();
                    break;
                };
                if let Some(signal) = self.signals().pop_front() {
                    room.send(signal);
                }
            }
        }
    }

    fn signals(&self) -> MutexGuard<'_, VecDeque<ObsSignal>> {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the last change of the connection: what was before it does not matter any more.
fn shrink(signals: &mut VecDeque<ObsSignal>) {
    let is_connection =
        |signal: &&ObsSignal| matches!(signal, ObsSignal::Connected(_) | ObsSignal::Disconnected(_));
    let last = signals.iter().rev().find(is_connection).cloned();
    signals.clear();
    signals.extend(last);
    signals.push_back(ObsSignal::EventsLost);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::obs_values::ObsVersion;
    use crate::ports::{Disconnect, ObsEvent};

    #[tokio::test]
    async fn events_beyond_the_limit_are_replaced_and_changes_of_the_connection_are_kept() {
        let connected = || ObsSignal::Connected(ObsVersion::default());
        let event = || ObsSignal::Event(ObsEvent::TransitionEnded);
        let queue = Queue::default();
        queue.push(ObsSignal::Disconnected(Disconnect::Unresponsive));
        queue.push(connected());
        for _ in 0..LIMIT - 2 {
            queue.push(event());
        }
        assert_eq!(queue.signals().len(), LIMIT);
        queue.push(event());
        assert_eq!(*queue.signals(), [connected(), ObsSignal::EventsLost, event()]);
        queue.push(ObsSignal::EventsLost);
        queue.push(ObsSignal::EventsLost);
        assert_eq!(queue.signals().len(), 4, "one is enough");

        let (out, mut receiver) = mpsc::channel(1);
        tokio::select! {
            never = queue.deliver(&out) => match never {},
            () = async {
                for signal in [connected(), ObsSignal::EventsLost, event(), ObsSignal::EventsLost] {
                    assert_eq!(receiver.recv().await, Some(signal));
                }
            } => {}
        }
        drop(receiver);
        queue.push(event());
        let dropped = async {
            while !queue.signals().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            never = queue.deliver(&out) => match never {},
            () = dropped => {}
        }
    }
}
