//! A test that hangs fails: the test process ends with a message that names the test.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// More than any test takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(300);

/// Ends the process if it is not dropped in time. The setup of each test holds one.
#[derive(Debug)]
pub struct TimeLimit {
    /// Closes when this value is dropped.
    _running: Sender<()>,
}

impl TimeLimit {
    /// For the test of the calling thread, whose name is that of the test.
    pub fn start() -> Self {
        let test = thread::current().name().unwrap_or("of an unnamed thread").to_owned();
        let (running, ended) = mpsc::channel();
        thread::spawn(move || {
            if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                eprintln!("\nThe test {test} hangs: it has not ended after {LIMIT:?}. No further test is run.");
                std::process::abort();
            }
        });
        Self { _running: running }
    }
}
