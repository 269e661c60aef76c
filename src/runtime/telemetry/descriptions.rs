//! What each metric means: its line `# HELP`. A test compares these lists with what the code records.

use metrics::{Recorder, Unit};

/// A name and what it means.
type Described = (&'static str, &'static str);

/// Counters: they only grow, and begin again at zero with the process.
pub const COUNTERS: &[Described] = &[
    ("streamward_auth_decisions_total", "Decisions of /auth, with the reason"),
    ("streamward_channel_decisions_total", "Cuts of channels, and cuts that were refused"),
    ("streamward_channel_on_air_seconds_total", "How long each source of a channel was on air"),
    (
        "streamward_channel_reports_lost_total",
        "Reports of channels that could not be kept until they were stored",
    ),
    ("streamward_destination_connects_total", "Connections to a destination"),
    ("streamward_destination_dropped_frames_total", "Frames that a destination was too slow for"),
    ("streamward_destination_sent_bytes_total", "Bytes that were sent to a destination"),
    (
        "streamward_drift_repaired_total",
        "Differences between a media server and the records that a poll repaired",
    ),
    ("streamward_event_readers_dropped_total", "Readers of events that fell behind and were disconnected"),
    ("streamward_events_skipped_total", "Events of the log that could not be read"),
    (
        "streamward_hook_secret_refused_total",
        "Calls of media servers with a wrong hook secret or server name",
    ),
    ("streamward_hooks_total", "Hooks that media servers sent"),
    (
        "streamward_http_accept_errors_total",
        "Connections that could not be accepted, such as for lack of file descriptors",
    ),
    (
        "streamward_http_busy_total",
        "Requests that were refused because their caller had too many in progress",
    ),
    ("streamward_http_connections_evicted_total", "Idle connections that were closed to make room"),
    ("streamward_http_connections_refused_total", "Connections that there was no room for"),
    ("streamward_http_panics_total", "Requests whose handler panicked"),
    ("streamward_http_requests_total", "Requests, by route and status"),
    ("streamward_http_stalled_readers_total", "Connections that were closed because the client did not read"),
    ("streamward_http_unauthenticated_total", "Requests without valid credentials"),
    ("streamward_kick_api_invalid_items_total", "Items of Kick's API that could not be read"),
    ("streamward_kick_api_requests_total", "Requests to Kick's API"),
    ("streamward_kick_feed_frames_total", "Messages of Kick's sockets"),
    ("streamward_kick_feed_protocol_errors_total", "Messages of Kick's sockets that broke the protocol"),
    ("streamward_kick_feed_reconnects_total", "Connections to Kick's sockets that ended, with the reason"),
    ("streamward_kick_feed_rejections_total", "Times that Kick's sockets refused this instance"),
    ("streamward_kick_feed_updates_total", "Changes of streamers that Kick's sockets reported"),
    ("streamward_kick_full_polls_total", "Polls of all streamers at Kick's API"),
    ("streamward_kick_poll_failures_total", "Polls of Kick's API that failed"),
    ("streamward_kick_reports_total", "Reports about streamers, by source and what became of them"),
    ("streamward_kick_webhooks_refused_total", "Webhooks of Kick that could not be taken"),
    ("streamward_kick_webhooks_total", "Webhooks of Kick, by whether their signature was valid"),
    ("streamward_log_lines_dropped_total", "Log lines that were dropped because standard error was not read"),
    ("streamward_notifications_total", "Attempts to send a notification, by kind and outcome"),
    ("streamward_obs_unreadable_messages_total", "Messages of OBS that could not be read"),
    ("streamward_sign_ins_total", "Attempts to sign in"),
    (
        "streamward_studio_reports_lost_total",
        "Reports of studios that could not be kept until they were stored",
    ),
    ("streamward_task_iterations_total", "Runs of background tasks, by outcome"),
];

/// Gauges: what is so now.
pub const GAUGES: &[Described] = &[
    ("streamward_build_info", "1, with the version that runs"),
    (
        "streamward_channel_longest_hole_seconds",
        "The longest time without a frame since the programme started",
    ),
    ("streamward_channel_on_air", "1 for the source of a channel that is on air on this instance"),
    ("streamward_database_connections", "Connections to the database, open and in use"),
    ("streamward_destination_queue_seconds", "How much media waits to be sent to a destination"),
    ("streamward_destination_state", "1 for the state that a destination is in"),
    ("streamward_event_readers", "Open event streams"),
    ("streamward_http_connections", "Open connections of clients"),
    ("streamward_kick_feed_connections", "Connections to Kick's sockets"),
    ("streamward_kick_feed_rejected", "1 while Kick's sockets refuse this instance"),
    ("streamward_kick_feed_state", "1 for the state that the feed of Kick is in"),
    ("streamward_kick_feed_subscriptions", "Subscriptions at Kick's sockets"),
    ("streamward_kick_queue", "Changes of streamers that wait to be stored"),
    ("streamward_lease_held", "1 while this instance runs a task that only one instance may run"),
    ("streamward_media_server_up", "1 if the last poll of a media server succeeded"),
    ("streamward_stream_inbound_bytes_per_second", "What a live stream receives, measured over some seconds"),
    ("streamward_stream_readers", "How many read a live stream"),
    ("streamward_streams_live", "Streams that are live on a media server"),
    ("streamward_streams_not_shown", "Live streams without metrics of their own, because there are too many"),
    ("streamward_streamers", "Streamers on Kick, by status"),
    ("streamward_streamers_unresolved", "Streamers that Kick's API does not know yet"),
    ("streamward_studio_alert", "1 for an alert of a studio that is on"),
    ("streamward_studio_bitrate_kbps", "What OBS sends, in kbit/s"),
    ("streamward_studio_cpu_percent", "The CPU that OBS needs"),
    ("streamward_studio_desired_on_air", "1 if a studio should be on air"),
    (
        "streamward_studio_downtime_seconds",
        "How long a studio was without a good picture in the last seven days",
    ),
    ("streamward_studio_dropped_percent", "Frames that OBS dropped"),
    ("streamward_studio_held", "1 while a person holds the scene of a studio"),
    ("streamward_studio_obs_connected", "1 while OBS answers"),
    ("streamward_studio_owner_live", "1 while the owner's camera is on"),
    ("streamward_studio_preflight_passed", "1 if nothing stands against a start"),
    ("streamward_studio_reaches_platform", "1 while the stream of OBS arrives"),
    ("streamward_studio_scene", "1 for the purpose of the scene that is on air"),
    ("streamward_studio_streaming", "1 while OBS streams"),
    ("streamward_studio_supervised", "1 while an instance supervises a studio"),
    ("streamward_studio_uptime_percent", "The part of the last seven days with a good picture"),
    (
        "streamward_unreadable_paths",
        "Paths of a media server that could not be read and are left as they are",
    ),
];

/// Histograms.
pub const HISTOGRAMS: &[Described] = &[
    ("streamward_auth_duration_seconds", "How long decisions of /auth took"),
    ("streamward_http_request_duration_seconds", "How long requests took, to the head of the answer"),
    ("streamward_kick_report_seconds", "From a change on Kick to its row in the database"),
    ("streamward_media_server_call_seconds", "How long polls of a media server took"),
    ("streamward_notification_lag_seconds", "From a message that was made to its receiver taking it"),
    ("streamward_reconcile_duration_seconds", "How long polls took, with the repair of the records"),
    ("streamward_task_seconds", "How long runs of background tasks took"),
];

/// What `name` means.
pub fn help(name: &str) -> Option<&'static str> {
    let all = [COUNTERS, GAUGES, HISTOGRAMS].into_iter().flatten();
    all.into_iter().find(|(known, _)| *known == name).map(|(_, help)| *help)
}

/// Tells a recorder what the metrics mean.
pub(super) fn describe(recorder: &impl Recorder) {
    let unit: Option<Unit> = None;
    for (name, help) in COUNTERS {
        recorder.describe_counter((*name).into(), unit, (*help).into());
    }
    for (name, help) in GAUGES {
        recorder.describe_gauge((*name).into(), unit, (*help).into());
    }
    for (name, help) in HISTOGRAMS {
        recorder.describe_histogram((*name).into(), unit, (*help).into());
    }
}
