//! The metrics of studios, from what their supervisors saw last. Each series is of one studio.

use metrics::gauge;

use super::StudioOverview;
use crate::domain::studio::{
    Alert, ConnectionStatus, Desired, LinkState, OwnerState, Preflight, ScenePurpose, Snapshot,
    StreamingStatus,
};

/// Shows a studio. What is not known, because nothing supervises it, is zero.
pub fn show(overview: &StudioOverview) {
    let now = overview.now();
    let studio = overview.studio.name.as_str();
    let is = |seen: fn(&Snapshot) -> bool| now.is_some_and(seen);
    for (name, is_so) in [
        ("streamward_studio_supervised", overview.is_supervised),
        ("streamward_studio_desired_on_air", overview.desired == Desired::OnAir),
        ("streamward_studio_held", overview.hold().is_some()),
        ("streamward_studio_obs_connected", is(|now| now.link == LinkState::Connected)),
        ("streamward_studio_streaming", is(|now| now.streaming == StreamingStatus::Streaming)),
        ("streamward_studio_reaches_platform", is(|now| now.connection != ConnectionStatus::Disconnected)),
        ("streamward_studio_owner_live", is(|now| now.owner == OwnerState::Live)),
        (
            "streamward_studio_preflight_passed",
            is(|now| now.preflight.as_ref().is_some_and(Preflight::has_passed)),
        ),
    ] {
        gauge!(name, "studio" => studio.to_owned()).set(u32::from(is_so));
    }
    let value = |read: fn(&Snapshot) -> f64| now.map_or(0.0, read);
    for (name, value) in [
        ("streamward_studio_bitrate_kbps", value(|now| now.bitrate_kbps)),
        ("streamward_studio_dropped_percent", value(|now| now.dropped_percent)),
        ("streamward_studio_cpu_percent", value(|now| now.cpu_percent)),
        ("streamward_studio_uptime_percent", overview.uptime.percent),
        ("streamward_studio_downtime_seconds", overview.uptime.downtime.as_secs_f64()),
    ] {
        gauge!(name, "studio" => studio.to_owned()).set(value);
    }
    for purpose in ScenePurpose::ALL {
        let labels = [("studio", studio.to_owned()), ("scene", purpose.to_string())];
        let is_on = now.is_some_and(|now| now.purpose == Some(*purpose));
        gauge!("streamward_studio_scene", &labels).set(u32::from(is_on));
    }
    for alert in Alert::ALL {
        let labels = [("studio", studio.to_owned()), ("alert", alert.to_string())];
        let is_on = now.is_some_and(|now| now.alerts.contains(alert));
        gauge!("streamward_studio_alert", &labels).set(u32::from(is_on));
    }
}
