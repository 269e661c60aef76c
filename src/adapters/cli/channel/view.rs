//! Channels and what they do, as texts.

use crate::adapters::cli::durations::length;
use crate::app::channel::{ChannelNow, ChannelStatus, NewChannel};
use crate::app::stream_key::KeyWithSecret;
use crate::domain::Timestamp;
use crate::domain::channel::{
    Backup, Destination, DestinationId, Engine, InputStatus, OutputId, OutputStatus, Rehearsal,
    RehearsalState, Slot,
};

/// A new channel, with the settings of its encoders.
pub(super) fn created(made: &NewChannel) -> String {
    let channel = &made.channel.channel;
    let backup = made.backup_key.as_ref().map(|key| encoder("Backup encoder", key)).unwrap_or_default();
    let note = match channel.engine {
        Engine::Mixer => "",
        Engine::MediaServer => {
            "The media server carries this channel. It has the keys of the destinations in its memory, and shows them to \
             whoever may use its control API.\n\n"
        }
    };
    format!(
        "Created the channel {name} ({id}). Its programme is at {path}.\n\n{live}{backup}{note}\
         Next: streamward destination add {name} youtube --key-file FILE\n      streamward channel watch {name}",
        name = channel.name,
        id = channel.id,
        path = channel.path,
        live = encoder("Live encoder", &made.live_key),
    )
}

fn encoder(title: &str, key: &KeyWithSecret) -> String {
    let Some(ingest) = &key.ingest else {
        return format!("{title}: the key is shown this once:\n\n  {}\n\n", key.secret.expose());
    };
    format!(
        "{title}. The key is shown this once.\nOBS: Settings, Stream, Service \"Custom…\"\n  Server      {}\n  \
         Stream Key  {}\nOther encoders, one of\n  RTMP        {}\n  SRT         {}\nKeyframe interval: 2 s.\n\n",
        ingest.obs_server, ingest.obs_stream_key, ingest.rtmp, ingest.srt,
    )
}

/// A channel without what it does.
pub(super) fn channel(ChannelNow { channel, at }: &ChannelNow) -> String {
    let mode = channel.mode(*at);
    let until = channel.hold.expires_at.filter(|until| until > at);
    let until = until.map(|until| format!(" for {}", length(until.since(*at)))).unwrap_or_default();
    let reason = channel.hold.reason.as_ref().filter(|_| channel.hold.mode == mode);
    let reason = reason.map(|reason| format!(" ({})", printable(reason))).unwrap_or_default();
    let backup = match &channel.inputs.backup {
        Backup::Stream(_) => "a second encoder".to_owned(),
        Backup::Playlist(playlist) => {
            let clips = match playlist.clips.len() {
                0 => "the built-in picture".to_owned(),
                1 => "1 clip".to_owned(),
                count => format!("{count} clips"),
            };
            let slot = |slot: &Slot| {
                let days: Vec<String> = slot.days.iter().map(ToString::to_string).collect();
                let days = if days.is_empty() { "daily".to_owned() } else { days.join(",") };
                let (from, to, zone, count) = (slot.from, slot.to, slot.time_zone, slot.clips.len());
                format!("\n              {from}-{to} {days} {zone}: {count} clips")
            };
            clips + &playlist.schedule.iter().map(slot).collect::<String>()
        }
    };
    let (video, rules) = (channel.profile.video, channel.failover);
    let rate = rules.min_bitrate_kbps.map(|kbps| format!(", below {kbps} kbit/s")).unwrap_or_default();
    let gap = rules.max_keyframe_gap_seconds;
    let gap = gap.map(|seconds| format!(", without a keyframe for {seconds} s")).unwrap_or_default();
    format!(
        "{name}\n  id        {id}\n  path      {path}\n  enabled   {enabled}\n  mode      {mode}{until}{reason}\n  \
         backup    {backup}\n  profile   {width}x{height}, {fps} frames/s, {hertz} Hz\n  \
         failover  without video for {stall} ms{rate}{gap}; back after {grace} s\n  mismatch  {mismatch}\n  \
         engine    {engine}",
        name = channel.name,
        id = channel.id,
        path = channel.path,
        enabled = if channel.enabled { "yes" } else { "no" },
        width = video.width,
        height = video.height,
        fps = video.fps,
        hertz = channel.profile.audio.rate,
        stall = rules.stall_ms,
        grace = rules.recovery_grace_seconds,
        mismatch = channel.mismatch,
        engine = channel.engine,
    )
}

/// What a channel does now.
pub(super) fn status(found: &ChannelStatus) -> String {
    status_lines(found).join("\n")
}

/// The same, line by line.
pub(super) fn status_lines(found: &ChannelStatus) -> Vec<String> {
    let now = found.channel.at;
    let Some(status) = found.status.as_ref().filter(|_| found.is_running()) else {
        let why = if found.channel.channel.enabled {
            "not running: no instance reports it. Is `streamward serve` running, with channels.enabled?"
        } else {
            "not running: the channel is disabled"
        };
        return vec![why.to_owned()];
    };
    let since = length(now.since(status.since));
    let on_air = if status.is_off_air() {
        "nothing".to_owned()
    } else {
        format!("{} for {since} ({})", status.on_air, status.reason)
    };
    let mut lines = vec![
        format!("on air    {on_air}"),
        format!("cuts      {}, longest hole {} ms", status.cuts, status.longest_hole_ms),
        format!("live      {}", input(&status.live)),
        format!("backup    {}", input(&status.backup)),
    ];
    for (id, output) in &status.outputs {
        let name = match id {
            OutputId::MediaServer => "media server".to_owned(),
            OutputId::Destination(id) => name_of(*id, &found.destinations),
        };
        lines.push(format!("  {name:<20}  {}", connection(output, now)));
    }
    let off = found.destinations.iter().filter(|one| !one.enabled);
    lines.extend(off.map(|one| format!("  {:<20}  disabled", printable(&one.name))));
    lines
}

fn name_of(id: DestinationId, destinations: &[Destination]) -> String {
    let known = destinations.iter().find(|one| one.id == id);
    known.map_or_else(|| id.to_string(), |one| printable(&one.name))
}

fn input(status: &InputStatus) -> String {
    let mut parts = vec![status.state.to_string()];
    parts.extend(status.bitrate_kbps.map(|kbps| format!("{kbps} kbit/s")));
    parts.extend(status.fps.map(|fps| format!("{fps:.1} frames/s")));
    parts.extend(
        status.keyframe_interval_ms.map(|ms| format!("keyframe every {:.1} s", f64::from(ms) / 1000.0)),
    );
    parts.extend(status.codecs.iter().map(|codec| printable(codec)));
    parts.extend(status.problem.as_ref().map(|problem| format!("— {}", printable(problem))));
    parts.join("  ")
}

fn connection(output: &OutputStatus, now: Timestamp) -> String {
    let mut parts = vec![format!("{:<11}", output.state.to_string()), length(now.since(output.since))];
    parts.push(format!("{} connection{}", output.connects, if output.connects == 1 { "" } else { "s" }));
    parts.push(format!("{} MB", output.bytes / 1_000_000));
    if output.dropped_frames > 0 {
        parts.push(format!("{} frames dropped", output.dropped_frames));
    }
    parts.extend(output.next_attempt_at.map(|at| format!("next attempt in {}", length(at.since(now)))));
    parts.extend(output.last_error.as_ref().map(|error| format!("— {}", printable(error))));
    parts.join("  ")
}

/// The report of a rehearsal.
pub(super) fn rehearsal(rehearsal: &Rehearsal, destinations: &[Destination]) -> String {
    let Some(report) = rehearsal.report.as_ref().filter(|_| rehearsal.state == RehearsalState::Done) else {
        let error = rehearsal.error.as_deref().unwrap_or("no reason given");
        return format!("The rehearsal failed: {error}.");
    };
    let hole = report.hole_ms.map_or_else(|| "nothing was cut".to_owned(), |hole| format!("hole {hole} ms"));
    let back = match report.return_hole_ms {
        Some(hole) => format!("back to live: hole {hole} ms"),
        None => "it did not return to live".to_owned(),
    };
    let mut lines = vec![format!(
        "The live input was treated as lost for {} s: {} → {}, {hole}; {back}.",
        rehearsal.cut_live_for_seconds, report.on_air_before, report.on_air_during
    )];
    for output in &report.outputs {
        let name = match output.output {
            OutputId::MediaServer => "media server".to_owned(),
            OutputId::Destination(id) => name_of(id, destinations),
        };
        lines.push(format!(
            "  {name:<20}  holes {} and {}, {} reconnects, {} frames dropped, {}",
            milliseconds(output.hole_ms),
            milliseconds(output.return_hole_ms),
            output.reconnects,
            output.dropped_frames,
            output.state
        ));
    }
    lines.join("\n")
}

fn milliseconds(hole: Option<u64>) -> String {
    hole.map_or_else(|| "unknown".to_owned(), |hole| format!("{hole} ms"))
}

/// The text with spaces for control characters: names and errors come from other people.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
