//! The buckets of histograms.

/// Upper bounds, in seconds, of the buckets of every histogram whose name ends in `_seconds`.
pub const SECONDS_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Those of `/auth`: decisions from memory take microseconds, and none takes more than a second.
pub const AUTH_BUCKETS: [f64; 16] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0,
];

/// The suffix of the name of a histogram of seconds.
pub(super) const SECONDS_SUFFIX: &str = "_seconds";

/// The histogram of `/auth`.
pub(super) const AUTH_DURATION: &str = "streamward_auth_duration_seconds";

/// The buckets of the histogram with this name.
pub(super) fn of(name: &str) -> Option<&'static [f64]> {
    match name {
        AUTH_DURATION => Some(&AUTH_BUCKETS),
        name if name.ends_with(SECONDS_SUFFIX) => Some(&SECONDS_BUCKETS),
        _ => None,
    }
}
