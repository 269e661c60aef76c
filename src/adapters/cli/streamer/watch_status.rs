//! The watch status in words, and what is wrong with it.

use std::time::Duration;

use crate::adapters::cli::durations::{ago, length};
use crate::domain::Timestamp;
use crate::domain::streamer::feed::{FeedState, FeedStatus, WatchStatus};

/// Without a status for this long, no instance watches: the watcher writes every 15 seconds.
const STALE: Duration = Duration::from_secs(60);

/// The feed in a few words: `connected (centrifugo)`.
pub(crate) fn state_of(feed: &FeedStatus) -> String {
    let provider = feed.provider.map(|provider| format!(" ({})", provider.as_str())).unwrap_or_default();
    format!("{}{provider}", feed.state.as_str())
}

/// The watch status in one line.
pub(crate) fn doing(status: &WatchStatus, now: Timestamp) -> String {
    let feed = &status.feed;
    let poll = format!("last full poll {}", ago(status.last_full_poll_at, now));
    if feed.state == FeedState::Off {
        return format!("no feed, {poll}");
    }
    let FeedStatus { connections, connected, wanted, subscribed, .. } = feed;
    let state = state_of(feed);
    format!(
        "feed {state}, {connected} of {connections} connections, {subscribed} of {wanted} channels, {poll}"
    )
}

/// The problem with watching and its remedy; `None` if there is none.
pub(crate) fn trouble(status: Option<&WatchStatus>, now: Timestamp) -> Option<String> {
    let Some(status) = status else {
        return Some("nobody has watched yet: set kick.feed and run `streamward serve`".to_owned());
    };
    let silent = now.since(status.at);
    if silent > STALE {
        return Some(format!(
            "nobody has watched for {}: is `streamward serve` running, with kick.feed set?",
            length(silent)
        ));
    }
    let error = status.feed.error.as_deref().unwrap_or("no reason given");
    match status.feed.state {
        FeedState::Rejected => Some(format!(
            "the feed refuses us, so only full polls show who is live: {error}; it is tried again by itself, and \
             another kick.feed may help"
        )),
        FeedState::Connecting | FeedState::Degraded if status.feed.error.is_some() => {
            Some(format!("the feed is {}: {error}", status.feed.state.as_str()))
        }
        _ => status.poll_error.as_ref().map(|error| format!("the last poll failed: {error}")),
    }
}

/// Whether a person must act.
pub(crate) fn is_bad(status: Option<&WatchStatus>, now: Timestamp) -> bool {
    status.is_none_or(|status| now.since(status.at) > STALE || status.feed.state == FeedState::Rejected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_000_000)
    }

    fn status(state: FeedState, age: u64, error: Option<&str>) -> WatchStatus {
        let feed = FeedStatus { state, error: error.map(str::to_owned), ..FeedStatus::default() };
        WatchStatus { feed, ..WatchStatus::new(now().minus(Duration::from_secs(age))) }
    }

    #[test]
    fn failures_and_warnings_are_distinguished() {
        use FeedState::{Connected, Connecting, Degraded, Off, Rejected};
        for (state, age, error, words, bad) in [
            (Connected, 60, None, None, false),
            (Connected, 61, None, Some("nobody has watched for 1m 01s"), true),
            (Off, 1, None, None, false),
            (Connecting, 1, None, None, false),
            (Connecting, 1, Some("refused"), Some("the feed is connecting: refused"), false),
            (Degraded, 1, Some("reset"), Some("the feed is degraded: reset"), false),
            (
                Rejected,
                1,
                Some("4001"),
                Some("the feed refuses us, so only full polls show who is live: 4001"),
                true,
            ),
            (Rejected, 1, None, Some("no reason given"), true),
        ] {
            let status = status(state, age, error);
            let text = trouble(Some(&status), now());
            match words {
                None => assert_eq!(text, None, "{state:?}"),
                Some(words) => assert!(text.as_ref().is_some_and(|text| text.contains(words)), "{text:?}"),
            }
            assert_eq!(is_bad(Some(&status), now()), bad, "{state:?} {age}");
        }
        assert!(is_bad(None, now()) && trouble(None, now()).is_some());
        let mut failed = status(Off, 1, None);
        failed.poll_error = Some("Kick did not answer in time".into());
        assert!(trouble(Some(&failed), now()).is_some_and(|text| text.contains("did not answer")));
        assert!(!is_bad(Some(&failed), now()));
    }
}
