//! Studios and what they do, as texts.

use std::time::Duration;

use crate::adapters::cli::durations::length;
use crate::app::studio::{SchedulePreview, StudioOverview, StudioSchedule, UptimeReport};
use crate::domain::Timestamp;
use crate::domain::studio::{
    Arrival, Block, ContentSource, Drill, PlannedTime, Preflight, Snapshot, TimeZone,
};

/// A text of somebody else, for a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// How long ago something was.
pub(super) fn age(now: Timestamp, at: Timestamp) -> String {
    length(now.since(at))
}

/// When a supervisor last saw the studio.
pub(super) fn seen(found: &StudioOverview) -> String {
    found.snapshot.as_ref().map_or_else(
        || "it was never supervised".to_owned(),
        |snapshot| format!("last seen {} ago", age(found.at, snapshot.at)),
    )
}

/// A studio, line by line.
pub(super) fn lines(found: &StudioOverview) -> Vec<String> {
    let studio = &found.studio;
    let by = studio.desired_by.as_ref().map(|by| format!(", by {}", printable(by))).unwrap_or_default();
    let mut lines = vec![studio.name.to_string(), format!("  desired   {}{by}", studio_word(found))];
    if let Some(hold) = found.hold() {
        let end = hold.until.map_or_else(|| "until it is released".to_owned(), |at| format!("until {at}"));
        let scene = hold.scene.as_ref().map(|scene| format!(" on {}", printable(scene.as_str())));
        let reason = hold.reason.as_ref().map(|reason| format!(" ({})", printable(reason)));
        lines.push(format!(
            "  hold      {}{} by {}{}",
            end,
            scene.unwrap_or_default(),
            printable(&hold.by),
            reason.unwrap_or_default()
        ));
    }
    match found.now() {
        Some(now) => lines.extend(now_lines(found, now)),
        None => lines.push(format!(
            "  not supervised: {}. Is `streamward serve` running with this configuration?",
            seen(found)
        )),
    }
    lines.push(uptime_line(found));
    lines
}

fn studio_word(found: &StudioOverview) -> &'static str {
    match (found.desired.as_str(), found.has_platform) {
        ("on_air", _) => "on air",
        (_, true) => "stopped",
        (_, false) => "only watched: no platform is configured",
    }
}

fn now_lines(found: &StudioOverview, now: &Snapshot) -> Vec<String> {
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), printable);
    let obs = match &now.link_problem {
        Some(problem) => format!("{}: {}", now.link, printable(problem)),
        None => format!("{} {}", now.link, text(&now.obs_version)),
    };
    let restarts =
        if now.restarts > 0 { format!(", restarted {} times", now.restarts) } else { String::new() };
    let purpose = now.purpose.map(|purpose| format!(" ({purpose})")).unwrap_or_default();
    let far_end = match now.far_end {
        Arrival::Unknown => String::new(),
        arrival => format!(", far end {arrival}"),
    };
    let mut lines = vec![
        format!("  obs       {obs}{restarts}"),
        format!(
            "  stream    {}, {}{far_end}, {:.0} kbit/s, {:.2} % dropped, CPU {:.1} %",
            now.stream, now.connection, now.bitrate_kbps, now.dropped_percent, now.cpu_percent
        ),
        format!("  scene     {}{purpose}: {}", text(&now.scene), now.reason),
    ];
    let content = now.content.as_ref().map(|content| printable(&content.name));
    lines.push(format!(
        "  content   {}, next {}",
        content.unwrap_or_else(|| "-".to_owned()),
        text(&now.next)
    ));
    if let Some(paused) = &now.paused {
        let at = length(Duration::from_millis(paused.position_ms));
        lines.push(format!("  paused    {} at {at}", printable(&paused.name)));
    }
    lines.push(format!("  owner     {}, failover ladder: {}", now.owner, now.rung));
    lines.extend(now.alerts.iter().map(|alert| format!("  ALERT     {alert}")));
    lines.extend(now.preflight.as_ref().map(preflight));
    if let Some(at) = now.nothing_to_play_at {
        let local = found.time_zone.rfc3339(at);
        lines.push(format!("  schedule  nothing can be played from {local} on"));
    }
    lines
}

fn preflight(preflight: &Preflight) -> String {
    let failed: Vec<&str> = preflight.failed().map(|check| check.check.as_str()).collect();
    match (preflight.has_passed(), failed.as_slice()) {
        (true, _) => "  checks    all passed".to_owned(),
        (false, []) => "  checks    not all made".to_owned(),
        (false, failed) => format!("  checks    failed: {} (see studio check)", failed.join(", ")),
    }
}

fn uptime_line(found: &StudioOverview) -> String {
    let uptime = &found.uptime;
    format!(
        "  uptime    {:.3} % of 7 days, {} down; left: {:.0} s of the 99.9 %, {:.0} s of the 30 s",
        uptime.percent,
        length(uptime.downtime),
        uptime.budget.percent_seconds_left,
        uptime.budget.seconds_left
    )
}

/// What a drill found.
pub(super) fn drill(drill: &Drill) -> String {
    let time = |time: Option<u64>| time.map_or_else(|| "not".to_owned(), |ms| format!("after {ms} ms"));
    let mut lines = vec![format!("{}: {}", drill.kind, drill.state)];
    if let Some(report) = &drill.report {
        lines.push(format!("  noticed    {}", time(report.noticed_ms)));
        lines.push(format!("  recovered  {}", time(report.recovered_ms)));
        let reasons: Vec<&str> = report.reasons.iter().map(|reason| reason.as_str()).collect();
        lines.push(format!("  decisions  {}", reasons.join(", ")));
    }
    lines.extend(drill.error.as_ref().map(|error| format!("  {}", printable(error))));
    lines.join("\n")
}

/// A schedule.
pub(super) fn schedule(found: &StudioSchedule) -> String {
    if !found.is_set {
        return "no schedule: failover content plays (see studio schedule set)".to_owned();
    }
    let schedule = &found.schedule;
    let mut lines = vec![format!("on the clock of {}", schedule.time_zone)];
    lines.extend(schedule.blocks.iter().map(block));
    lines.push("content".to_owned());
    lines.extend(schedule.content.iter().map(source));
    lines.join("\n")
}

fn block(block: &Block) -> String {
    let days: Vec<String> = block.days.iter().map(ToString::to_string).collect();
    let days = if days.is_empty() { "daily".to_owned() } else { days.join(",") };
    format!("  {}-{}  {days}  {}  ({})", block.from, block.to, printable(&block.name), block.age)
}

fn source(source: &ContentSource) -> String {
    let blocks = if source.blocks.is_empty() {
        "always".to_owned()
    } else {
        source.blocks.iter().map(|name| printable(name)).collect::<Vec<_>>().join(", ")
    };
    format!(
        "  {} {}  {}: {}  ({}, {blocks})",
        source.tier,
        source.priority,
        printable(source.name.as_str()),
        printable(source.place()),
        source.age
    )
}

/// What plays when.
pub(super) fn preview(preview: &SchedulePreview) -> String {
    preview.times.iter().map(|time| planned(time, preview.time_zone)).collect::<Vec<_>>().join("\n")
}

fn planned(time: &PlannedTime, zone: TimeZone) -> String {
    let names = |names: &[crate::domain::studio::ContentName]| {
        names.iter().map(|name| printable(name.as_str())).collect::<Vec<_>>().join(", ")
    };
    let plays = match names(&time.plays) {
        none if none.is_empty() => "FAILOVER CONTENT".to_owned(),
        plays => plays,
    };
    let unplayable = match names(&time.unplayable) {
        none if none.is_empty() => String::new(),
        names => format!("; not playable: {names}"),
    };
    let block = time.block.as_deref().map_or_else(|| "-".to_owned(), printable);
    format!("{}  to  {}  {block}: {plays}{unplayable}", zone.rfc3339(time.from), zone.rfc3339(time.to))
}

/// Uptime of a period.
pub(super) fn uptime(report: &UptimeReport) -> String {
    let (uptime, budget) = (&report.uptime, report.uptime.budget);
    let word = |is_met| if is_met { "kept" } else { "not kept" };
    let mut lines = vec![
        format!(
            "{:.3} % of {} in the last {} days, {} down",
            uptime.percent,
            length(uptime.total),
            report.period_days,
            length(uptime.downtime)
        ),
        format!(
            "99.9 %: {}, {:.0} s left; 30 s in 7 days: {}, {:.0} s left",
            word(budget.meets_percent),
            budget.percent_seconds_left,
            word(budget.meets_seconds),
            budget.seconds_left
        ),
    ];
    lines.extend(uptime.events.iter().map(|one| {
        let end = one.ended_at.unwrap_or(report.until);
        let lasts = if one.ended_at.is_none() { ", lasts" } else { "" };
        let seconds = end.since(one.started_at).as_secs_f64();
        format!("  {}  {seconds:.1} s  {}{lasts}", one.started_at, one.cause)
    }));
    lines.join("\n")
}
