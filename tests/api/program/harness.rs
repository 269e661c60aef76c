//! The harness itself: what hangs is reported, and a signal that cannot be sent is an error.

use std::time::Duration;

use streamward_test_support::process::{Signal, output_within, send_signal, wait_for_exit};

use super::{Home, SOON};

#[test]
fn command_that_does_not_end_is_killed_and_reported() {
    let home = Home::new();
    let error = output_within(&mut home.command(&["serve"]), Duration::from_millis(500)).unwrap_err();
    assert!(format!("{error:#}").contains("had not ended after 500ms and was killed"), "{error:#}");
}

#[test]
fn signal_that_cannot_be_sent_is_an_error() {
    let mut child = Home::new().command(&["serve"]).spawn().expect("it starts");
    send_signal(child.id(), Signal::KILL).expect("sent");
    assert!(!wait_for_exit(&mut child, SOON).expect("it ends").success());
    assert!(send_signal(child.id(), Signal::KILL).is_err(), "it has ended");
    assert!(send_signal(0, Signal::KILL).is_err(), "0 is a whole group of processes");
}
