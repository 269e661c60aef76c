//! The limit of open files (`ulimit -n`): raises it, and divides it among connections, so that none takes the place of a
//! media server's, of the database or of a file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files, and connections to media servers, Kick and collectors. The database comes on top.
const OWN_FILES: u64 = 128;
/// The part of the connections that is for `http.media_listen`, and the most and the least of them.
const MEDIA_PART: u64 = 4;
const MEDIA: (u64, u64) = (16, 1_000);
/// The fewest connections of a listener. Below, nothing would work.
const FEWEST: u64 = 16;

/// How many connections each listener may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    /// `http.listen`.
    pub(super) main: usize,
    /// `http.media_listen`; 0 without it.
    pub(super) media: usize,
}

/// Raises the limit as far as the system allows. Returns it; `None` without a limit.
pub(super) fn raise_limit() -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    if before.current == before.maximum {
        return before.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: before.maximum, ..before }) {
        Ok(()) => {
            tracing::info!(from = before.current, to = before.maximum, "the limit of open files was raised");
            before.maximum
        }
        Err(error) => {
            tracing::warn!(%error, limit = before.current, "the limit of open files cannot be raised");
            before.current
        }
    }
}

/// Divides `limit` open files: `for_database` connections to the database, `most` connections on the main listener
/// (`http.max_connections`), and those of media servers if they have a listener of their own.
pub(super) fn divide(limit: Option<u64>, for_database: u64, most: u64, has_media: bool) -> Budget {
    let rest = limit.map_or(u64::MAX, |limit| limit.saturating_sub(OWN_FILES + for_database));
    let media = if has_media { (rest / MEDIA_PART).clamp(MEDIA.0, MEDIA.1) } else { 0 };
    let main = rest.saturating_sub(media).clamp(FEWEST, most.max(FEWEST));
    if main < most {
        tracing::warn!(
            limit,
            connections = main,
            wanted = most,
            "the limit of open files allows fewer connections than http.max_connections: raise it (ulimit -n, or LimitNOFILE= of systemd)"
        );
    }
    let connections = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    Budget { main: connections(main.min(most)), media: connections(media) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        for (limit, has_media, main, media) in [
            (None, false, 10_000, 0),
            (None, true, 10_000, 1_000),
            (Some(1_048_576), true, 10_000, 1_000),
            (Some(1_024), false, 866, 0),
            (Some(1_024), true, 650, 216),
            (Some(256), true, 74, 24),
            (Some(64), true, 16, 16),
        ] {
            assert_eq!(divide(limit, 30, 10_000, has_media), Budget { main, media }, "{limit:?} {has_media}");
        }
        assert_eq!(divide(Some(1_024), 30, 5, false).main, 5);
    }
}
