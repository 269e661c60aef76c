//! Decisions of the doctor. `tests/api/program/doctor.rs` tests its findings from outside.

use std::time::Duration;

use super::service::clock;
use super::{Findings, Severity, same_place};
use crate::domain::Timestamp;

#[test]
fn difference_of_clocks_is_found() {
    let now = Timestamp::from_seconds(1_000);
    for (apart, severity) in
        [(0, Severity::Good), (2, Severity::Good), (3, Severity::Warning), (30, Severity::Failure)]
    {
        let apart = Duration::from_secs(apart);
        let mut findings = Findings::default();
        clock("clock", now.plus(apart), now, &mut findings);
        clock("clock", now.minus(apart), now, &mut findings);
        assert!(findings.0.iter().all(|finding| finding.severity == severity), "{apart:?}: {:?}", findings.0);
    }
}

#[test]
fn names_of_this_machine_are_the_same_place() {
    assert!(same_place("http://localhost:8080/auth", "http://127.0.0.1:8080/auth"));
    assert!(same_place("http://[::1]:80/auth", "http://127.0.0.1/auth"));
    for other in
        ["http://127.0.0.1:8081/auth", "http://127.0.0.1:8080/other", "http://10.0.0.1:8080/auth", "x"]
    {
        assert!(!same_place(other, "http://127.0.0.1:8080/auth"), "{other}");
    }
}
