//! `streamward studio watch`: what is on air, live.

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::view;
use crate::adapters::cli::Output;
use crate::adapters::cli::output::with_nulls;
use crate::adapters::cli::screen::{self, Live};
use crate::adapters::views::StudioView;
use crate::app::studio::{StudioOverview, Studios};
use crate::domain::Timestamp;
use crate::domain::access::Actor;
use crate::domain::studio::StudioName;

/// Shows the studio until `stop`, a key, or until the output is closed.
pub(super) async fn watch(
    studios: &Studios,
    name: &StudioName,
    stop: &CancellationToken,
    out: &mut Output,
) -> anyhow::Result<()> {
    let actor = Actor::cli("studio watch");
    screen::show(&LiveStudio { studios, actor, name }, stop, out).await
}

struct LiveStudio<'a> {
    studios: &'a Studios,
    actor: Actor,
    name: &'a StudioName,
}

impl Live for LiveStudio<'_> {
    type Found = StudioOverview;
    const RED: &'static [&'static str] =
        &["not supervised", "ALERT", "failed", "disconnected", "unresponsive"];
    const YELLOW: &'static [&'static str] = &["degraded", "reconnecting", "hold", "nothing can be played"];

    async fn read(&self) -> anyhow::Result<StudioOverview> {
        Ok(self.studios.get(&self.actor, self.name).await?)
    }

    fn at(found: &StudioOverview) -> Timestamp {
        found.at
    }

    fn head(found: &StudioOverview) -> String {
        found.studio.name.to_string()
    }

    fn lines(found: &StudioOverview) -> Vec<String> {
        view::lines(found).into_iter().skip(1).collect()
    }

    fn object(found: StudioOverview) -> Value {
        with_nulls(&StudioView::from(found))
    }

    fn states(object: &Value) -> Value {
        states(object)
    }

    fn line(_: &[String], states: &Value) -> String {
        line(states)
    }
}

/// What is not a measure: a change of it is printed.
const STATES: [(&str, &str); 14] = [
    ("desired", "/desired"),
    ("supervised", "/supervised"),
    ("hold", "/hold/reason"),
    ("obs", "/obs/connection"),
    ("stream", "/stream/state"),
    ("connection", "/stream/connection"),
    ("far_end", "/stream/far_end"),
    ("scene", "/on_air/scene"),
    ("reason", "/on_air/reason"),
    ("content", "/on_air/content/name"),
    ("owner", "/on_air/owner"),
    ("rung", "/on_air/rung"),
    ("alerts", "/alerts"),
    ("checks", "/preflight/passed"),
];

fn states(object: &Value) -> Value {
    let state = |(name, pointer): (&str, &str)| (name.to_owned(), object.pointer(pointer).cloned());
    let states = STATES.into_iter().map(state);
    Value::Object(states.map(|(name, value)| (name, value.unwrap_or_default())).collect())
}

fn line(states: &Value) -> String {
    let shown = STATES.iter().filter_map(|(name, _)| match &states[*name] {
        Value::Null => None,
        Value::String(text) => Some(format!("{name}={}", view::printable(text))),
        list if *list == json!([]) => None,
        other => Some(format!("{name}={other}")),
    });
    shown.collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_no_change() {
        let object = |kbps: f64, scene: &str| {
            json!({"desired": "on_air", "alerts": [], "stream": {"state": "live", "bitrate_kbps": kbps},
                "on_air": {"scene": scene}})
        };
        assert_eq!(states(&object(1.0, "A")), states(&object(2.0, "A")));
        assert_ne!(states(&object(1.0, "A")), states(&object(1.0, "B")));
        let shown = line(&states(&object(1.0, "A\u{1b}[2J")));
        assert_eq!(shown, "desired=on_air  stream=live  scene=A [2J");
    }
}
