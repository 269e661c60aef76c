//! Channels and what they do, as texts.

use serde_json::Value;

use crate::adapters::cli::api::{array, at};
use crate::adapters::cli::durations::length;
use crate::domain::Timestamp;

/// A new channel, with the settings of its encoders.
pub(super) fn created(made: &Value) -> String {
    let field = |name: &str| at(made, &format!("/{name}"));
    let backup = if made["backup_key"].is_object() {
        encoder("Backup encoder", &made["backup_key"])
    } else {
        String::new()
    };
    let note = if made["engine"] == "media_server" {
        "The media server carries this channel. It has the keys of the destinations in its memory, and shows them to \
         whoever may use its control API.\n\n"
    } else {
        ""
    };
    format!(
        "Created the channel {name} ({id}). Its programme is at {path}.\n\n{live}{backup}{note}\
         Next: streamward destination add {name} youtube --key-file FILE\n      streamward channel watch {name}",
        name = field("name"),
        id = field("id"),
        path = field("path"),
        live = encoder("Live encoder", &made["live_key"]),
    )
}

fn encoder(title: &str, key: &Value) -> String {
    if !key["ingest"].is_object() {
        return format!("{title}: the key is shown this once:\n\n  {}\n\n", at(key, "/key_value"));
    }
    format!(
        "{title}. The key is shown this once.\nOBS: Settings, Stream, Service \"Custom…\"\n  Server      {}\n  \
         Stream Key  {}\nOther encoders, one of\n  RTMP        {}\n  SRT         {}\nKeyframe interval: 2 s.\n\n",
        at(key, "/ingest/obs/server"),
        at(key, "/ingest/obs/stream_key"),
        at(key, "/ingest/rtmp"),
        at(key, "/ingest/srt"),
    )
}

/// A channel without what it does.
pub(super) fn channel(channel: &Value, now: Timestamp) -> String {
    let field = |pointer: &str| at(channel, pointer);
    let until = time(&channel["mode_expires_at"]).filter(|until| *until > now);
    let until = until.map(|until| format!(" for {}", length(until.since(now)))).unwrap_or_default();
    let reason = channel["mode_reason"].as_str();
    let reason = reason.map(|reason| format!(" ({})", printable(reason))).unwrap_or_default();
    let playlist = &channel["inputs"]["backup"]["playlist"];
    let backup = if playlist.is_object() {
        let clips = match array(playlist, "/clips").len() {
            0 => "the built-in picture".to_owned(),
            1 => "1 clip".to_owned(),
            count => format!("{count} clips"),
        };
        let slot = |slot: &Value| {
            let days: Vec<&str> = array(slot, "/days").iter().filter_map(Value::as_str).collect();
            let days = if days.is_empty() { "daily".to_owned() } else { days.join(",") };
            let (from, to, zone) = (at(slot, "/from"), at(slot, "/to"), at(slot, "/time_zone"));
            let count = array(slot, "/clips").len();
            format!("\n              {from}-{to} {days} {zone}: {count} clips")
        };
        clips + &array(playlist, "/schedule").iter().map(slot).collect::<String>()
    } else {
        "a second encoder".to_owned()
    };
    let rate = channel["failover"]["min_bitrate_kbps"].as_u64();
    let rate = rate.map(|kbps| format!(", below {kbps} kbit/s")).unwrap_or_default();
    let gap = channel["failover"]["max_keyframe_gap_seconds"].as_u64();
    let gap = gap.map(|seconds| format!(", without a keyframe for {seconds} s")).unwrap_or_default();
    format!(
        "{name}\n  id        {id}\n  path      {path}\n  enabled   {enabled}\n  mode      {mode}{until}{reason}\n  \
         backup    {backup}\n  profile   {width}x{height}, {fps} frames/s, {hertz} Hz\n  \
         failover  without video for {stall} ms{rate}{gap}; back after {grace} s\n  mismatch  {mismatch}\n  \
         engine    {engine}",
        name = field("/name"),
        id = field("/id"),
        path = field("/path"),
        enabled = if channel["enabled"] == true { "yes" } else { "no" },
        mode = field("/mode"),
        width = field("/profile/video/width"),
        height = field("/profile/video/height"),
        fps = field("/profile/video/fps"),
        hertz = field("/profile/audio/rate"),
        stall = field("/failover/stall_ms"),
        grace = field("/failover/recovery_grace_seconds"),
        mismatch = field("/mismatch"),
        engine = field("/engine"),
    )
}

/// What a channel does now, line by line.
pub(super) fn status_lines(channel: &Value, status: &Value, now: Timestamp) -> Vec<String> {
    if status["running"] != true {
        let why = if channel["enabled"] == true {
            "not running: no instance reports it. Is `streamward serve` running, with channels.enabled?"
        } else {
            "not running: the channel is disabled"
        };
        return vec![why.to_owned()];
    }
    let on_air = if status["on_air"].is_null() {
        "nothing".to_owned()
    } else {
        let (source, reason) = (at(status, "/on_air"), at(status, "/reason"));
        format!("{source} for {} ({reason})", since(&status["since"], now))
    };
    let mut lines = vec![
        format!("on air    {on_air}"),
        format!("cuts      {}, longest hole {} ms", at(status, "/cuts"), at(status, "/longest_hole_ms")),
        format!("live      {}", input(&status["inputs"]["live"])),
        format!("backup    {}", input(&status["inputs"]["backup"])),
    ];
    if status["media_server"].is_object() {
        lines.push(format!("  {:<20}  {}", "media server", connection(&status["media_server"], now)));
    }
    let (on, off): (Vec<&Value>, Vec<&Value>) =
        array(status, "/destinations").iter().partition(|one| one["enabled"] == true);
    let carried = on.iter().filter(|one| one["connection"].is_object());
    lines.extend(carried.map(|one| format!("  {:<20}  {}", name(one), connection(&one["connection"], now))));
    lines.extend(off.iter().map(|one| format!("  {:<20}  disabled", name(one))));
    lines
}

fn name(destination: &Value) -> String {
    printable(&at(destination, "/name"))
}

fn time(json: &Value) -> Option<Timestamp> {
    json.as_str()?.parse().ok()
}

fn since(json: &Value, now: Timestamp) -> String {
    time(json).map(|since| length(now.since(since))).unwrap_or_default()
}

fn input(status: &Value) -> String {
    let mut parts = vec![at(status, "/state")];
    parts.extend(status["bitrate_kbps"].as_u64().map(|kbps| format!("{kbps} kbit/s")));
    parts.extend(status["fps"].as_f64().map(|fps| format!("{fps:.1} frames/s")));
    let interval = status["keyframe_interval_ms"].as_f64();
    parts.extend(interval.map(|ms| format!("keyframe every {:.1} s", ms / 1000.0)));
    parts.extend(array(status, "/codecs").iter().filter_map(Value::as_str).map(printable));
    parts.extend(status["problem"].as_str().map(|problem| format!("— {}", printable(problem))));
    parts.join("  ")
}

fn connection(output: &Value, now: Timestamp) -> String {
    let number = |name: &str| output[name].as_u64().unwrap_or_default();
    let mut parts = vec![format!("{:<11}", at(output, "/state")), since(&output["since"], now)];
    let connects = number("connects");
    parts.push(format!("{connects} connection{}", if connects == 1 { "" } else { "s" }));
    parts.push(format!("{} MB", number("bytes") / 1_000_000));
    if number("dropped_frames") > 0 {
        parts.push(format!("{} frames dropped", number("dropped_frames")));
    }
    let next = time(&output["next_attempt_at"]);
    parts.extend(next.map(|at| format!("next attempt in {}", length(at.since(now)))));
    parts.extend(output["last_error"].as_str().map(|error| format!("— {}", printable(error))));
    parts.join("  ")
}

/// The report of a rehearsal. The destinations have their names in the status of the channel.
pub(super) fn rehearsal(rehearsal: &Value, status: &Value) -> String {
    let report = &rehearsal["report"];
    if rehearsal["state"] != "done" || !report.is_object() {
        let error = rehearsal["error"].as_str().unwrap_or("no reason given");
        return format!("The rehearsal failed: {error}.");
    }
    let hole = report["hole_ms"].as_u64();
    let hole = hole.map_or_else(|| "nothing was cut".to_owned(), |hole| format!("hole {hole} ms"));
    let back = match report["return_hole_ms"].as_u64() {
        Some(hole) => format!("back to live: hole {hole} ms"),
        None => "it did not return to live".to_owned(),
    };
    let (seconds, before) = (at(rehearsal, "/cut_live_for_seconds"), at(report, "/on_air_before"));
    let during = at(report, "/on_air_during");
    let mut lines = vec![format!(
        "The live input was treated as lost for {seconds} s: {before} → {during}, {hole}; {back}."
    )];
    let line = |name: &str, output: &Value| {
        format!(
            "  {name:<20}  holes {} and {}, {} reconnects, {} frames dropped, {}",
            milliseconds(&output["hole_ms"]),
            milliseconds(&output["return_hole_ms"]),
            at(output, "/reconnects"),
            at(output, "/dropped_frames"),
            at(output, "/state")
        )
    };
    if report["media_server"].is_object() {
        lines.push(line("media server", &report["media_server"]));
    }
    for output in array(report, "/destinations") {
        let known = array(status, "/destinations").iter().find(|one| one["id"] == output["id"]);
        lines.push(line(&known.map_or_else(|| at(output, "/id"), name), output));
    }
    lines.join("\n")
}

fn milliseconds(hole: &Value) -> String {
    hole.as_u64().map_or_else(|| "unknown".to_owned(), |hole| format!("{hole} ms"))
}

/// The text with spaces for control characters: names and errors come from other people.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
