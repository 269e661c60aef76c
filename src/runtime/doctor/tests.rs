//! The doctor's judgement; the findings themselves are tested with real conditions from outside.

use std::time::Duration;

use super::Severity;
use super::media::same_place_for_tests as same_place;
use super::service::clock;
use crate::domain::Timestamp;

#[test]
fn clocks_apart_are_told() {
    let now = Timestamp::from_seconds(1_000);
    for (apart, severity) in
        [(0, Severity::Good), (2, Severity::Good), (3, Severity::Warning), (30, Severity::Failure)]
    {
        let apart = Duration::from_secs(apart);
        assert_eq!(clock("clock", now.plus(apart), now).severity, severity, "{apart:?} ahead");
        assert_eq!(clock("clock", now.minus(apart), now).severity, severity, "{apart:?} behind");
    }
}

#[test]
fn this_machine_has_several_names() {
    assert!(same_place("http://localhost:8080/auth", "http://127.0.0.1:8080/auth"));
    assert!(same_place("http://[::1]:80/auth", "http://127.0.0.1/auth"));
    for other in
        ["http://127.0.0.1:8081/auth", "http://127.0.0.1:8080/other", "http://10.0.0.1:8080/auth", "x"]
    {
        assert!(!same_place(other, "http://127.0.0.1:8080/auth"), "{other}");
    }
}
