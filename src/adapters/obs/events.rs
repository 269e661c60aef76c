//! What the events of OBS mean.

use serde_json::Value;

use crate::ports::ObsEvent;
use crate::ports::obs_values::StreamState;

/// What an event is to us.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    /// An event of the port.
    Event(ObsEvent),
    /// The levels of all inputs: one message of some twenty a second.
    Levels(Value),
    /// One that does not matter here.
    Ignored,
    /// One that does, and that cannot be read.
    Unreadable,
}

/// Reads an event.
pub(super) fn read(name: &str, data: Value) -> Meaning {
    if name == "InputVolumeMeters" {
        return Meaning::Levels(data);
    }
    let text = |field: &str| data.get(field).and_then(Value::as_str).map(str::to_owned);
    let flag = |field: &str| data.get(field).and_then(Value::as_bool);
    let event = match name {
        "CurrentProgramSceneChanged" => text("sceneName").map(ObsEvent::ProgramScene),
        "SceneCreated" | "SceneRemoved" | "SceneNameChanged" => Some(ObsEvent::ScenesChanged),
        "InputCreated" | "InputRemoved" | "InputNameChanged" => Some(ObsEvent::InputsChanged),
        "SceneItemCreated" | "SceneItemRemoved" => {
            text("sceneName").map(|scene| ObsEvent::ItemsChanged { scene })
        }
        "SceneItemEnableStateChanged" => (|| {
            let (scene, item) = (text("sceneName")?, data.get("sceneItemId")?.as_i64()?);
            Some(ObsEvent::ItemEnabled { scene, item, enabled: flag("sceneItemEnabled")? })
        })(),
        "MediaInputPlaybackStarted" => text("inputName").map(ObsEvent::MediaStarted),
        "MediaInputPlaybackEnded" => text("inputName").map(ObsEvent::MediaEnded),
        "StreamStateChanged" => match text("outputState").as_deref().map(stream_state) {
            Some(Some(state)) => Some(ObsEvent::Stream(state)),
            // A state of a later version.
            Some(None) => return Meaning::Ignored,
            None => None,
        },
        "InputMuteStateChanged" => {
            text("inputName").zip(flag("inputMuted")).map(|(input, muted)| ObsEvent::Muted { input, muted })
        }
        "SceneTransitionEnded" => Some(ObsEvent::TransitionEnded),
        "CurrentSceneCollectionChanging" => Some(ObsEvent::CollectionChanging),
        "CurrentSceneCollectionChanged" | "CurrentProfileChanged" => Some(ObsEvent::ConfigurationChanged),
        "ExitStarted" => Some(ObsEvent::Exiting),
        _ => return Meaning::Ignored,
    };
    event.map_or(Meaning::Unreadable, Meaning::Event)
}

fn stream_state(name: &str) -> Option<StreamState> {
    Some(match name.strip_prefix("OBS_WEBSOCKET_OUTPUT_")? {
        "STARTING" => StreamState::Starting,
        "STARTED" => StreamState::Started,
        "STOPPING" => StreamState::Stopping,
        "STOPPED" => StreamState::Stopped,
        "RECONNECTING" => StreamState::Reconnecting,
        "RECONNECTED" => StreamState::Reconnected,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("CurrentProgramSceneChanged", json!({"sceneName": "A", "sceneUuid": "u"}), ObsEvent::ProgramScene("A".into()))]
    #[case("SceneItemEnableStateChanged", json!({"sceneName": "A", "sceneItemId": 3, "sceneItemEnabled": false}),
        ObsEvent::ItemEnabled { scene: "A".into(), item: 3, enabled: false })]
    #[case("MediaInputPlaybackEnded", json!({"inputName": "m"}), ObsEvent::MediaEnded("m".into()))]
    #[case("StreamStateChanged", json!({"outputActive": false, "outputState": "OBS_WEBSOCKET_OUTPUT_RECONNECTING"}),
        ObsEvent::Stream(StreamState::Reconnecting))]
    #[case("InputMuteStateChanged", json!({"inputName": "m", "inputMuted": true}),
        ObsEvent::Muted { input: "m".into(), muted: true })]
    #[case("ExitStarted", Value::Null, ObsEvent::Exiting)]
    #[case("SceneRemoved", json!({"sceneName": 1}), ObsEvent::ScenesChanged)]
    fn event_is_read(#[case] name: &str, #[case] data: Value, #[case] expected: ObsEvent) {
        assert_eq!(read(name, data), Meaning::Event(expected));
    }

    #[test]
    fn event_of_another_version_is_ignored_and_a_damaged_one_is_noticed() {
        assert_eq!(read("CanvasCreated", json!({"canvasName": "x"})), Meaning::Ignored);
        let paused = json!({"outputState": "OBS_WEBSOCKET_OUTPUT_PAUSED"});
        assert_eq!(read("StreamStateChanged", paused), Meaning::Ignored);
        assert_eq!(read("StreamStateChanged", Value::Null), Meaning::Unreadable);
        assert_eq!(read("CurrentProgramSceneChanged", json!({"sceneUuid": "u"})), Meaning::Unreadable);
    }
}
