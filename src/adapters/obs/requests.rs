//! The requests of the port, in the words of obs-websocket.

use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::answers as dto;
use super::client::{ObsClient, code};
use super::picture;
use crate::ports::obs_values::{
    AudioLevel, Creation, Effect, Encoding, Input, Media, MediaAction, MediaStatus, NewInput, ObsStats,
    SILENCE_DB, SceneItem, Scenes, SourceActive, StreamDestination, StreamStatus, Transition, VideoOutput,
    Volume,
};
use crate::ports::{ObsControl, ObsError, ObsSignal};

/// How long a switch of scenes may take until OBS names the new one, and the pause between two readings.
const SWITCH: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(50));

impl ObsClient {
    async fn read<T: DeserializeOwned>(&self, name: &'static str, data: Value) -> Result<T, ObsError> {
        let answer = self.request(name, data).await?;
        serde_json::from_value(answer).map_err(|_| ObsError::Malformed(name))
    }

    async fn order(&self, name: &'static str, data: Value) -> Result<(), ObsError> {
        self.request(name, data).await.map(drop)
    }

    /// Creates something. What is there already is no error.
    async fn create(&self, name: &'static str, data: Value) -> Result<Option<Value>, ObsError> {
        match self.request(name, data).await {
            Ok(answer) => Ok(Some(answer)),
            Err(ObsError::Refused { code: code::EXISTS, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An order that OBS refuses with `already` if it is carried out already.
    async fn effect(&self, name: &'static str, already: u16) -> Result<Effect, ObsError> {
        match self.order(name, Value::Null).await {
            Ok(()) => Ok(Effect::Done),
            Err(ObsError::Refused { code, .. }) if code == already => Ok(Effect::Already),
            Err(error) => Err(error),
        }
    }

    /// A parameter of OBS's profile.
    async fn parameter(&self, category: &str, name: &str) -> Result<String, ObsError> {
        let data = json!({ "parameterCategory": category, "parameterName": name });
        let parameter: dto::Parameter = self.read("GetProfileParameter", data).await?;
        let value = parameter.parameter_value.filter(|value| !value.is_empty());
        Ok(value.or(parameter.default_parameter_value).unwrap_or_default())
    }

    async fn set_parameter(&self, category: &str, name: &str, value: &str) -> Result<(), ObsError> {
        let data = json!({ "parameterCategory": category, "parameterName": name, "parameterValue": value });
        self.order("SetProfileParameter", data).await
    }

    /// The advanced output mode keeps its settings where obs-websocket has no way to.
    async fn require_simple_mode(&self) -> Result<(), ObsError> {
        if self.parameter("Output", "Mode").await? != "Advanced" {
            return Ok(());
        }
        let what = "its output mode is Advanced: set bitrate and encoder in OBS under Settings, Output";
        Err(ObsError::Unsupported(what.to_owned()))
    }

    /// The newest kind of input that begins with one of these.
    async fn kind(&self, prefixes: &[&str]) -> Result<String, ObsError> {
        let kinds: dto::InputKinds = self.read("GetInputKindList", json!({ "unversioned": false })).await?;
        let found = prefixes
            .iter()
            .find_map(|prefix| kinds.input_kinds.iter().filter(|kind| kind.starts_with(prefix)).max());
        found.cloned().ok_or_else(|| {
            ObsError::Unsupported(format!("it has no inputs of kind {}", prefixes.join(" or ")))
        })
    }

    /// Scales an item to the canvas, and keeps its proportions.
    async fn fit(&self, scene: &str, item: i64) -> Result<(), ObsError> {
        let canvas: dto::Video = self.read("GetVideoSettings", Value::Null).await?;
        let transform = json!({
            "boundsType": "OBS_BOUNDS_SCALE_INNER", "boundsAlignment": 0,
            "boundsWidth": canvas.base_width, "boundsHeight": canvas.base_height,
            "positionX": 0, "positionY": 0,
        });
        let data = json!({ "sceneName": scene, "sceneItemId": item, "sceneItemTransform": transform });
        self.order("SetSceneItemTransform", data).await
    }

    async fn program_scene(&self) -> Result<Option<String>, ObsError> {
        self.read("GetCurrentProgramScene", Value::Null).await.map(dto::ProgramScene::name)
    }
}

fn named(input: &str) -> Value {
    json!({ "inputName": input })
}

#[async_trait]
impl ObsControl for ObsClient {
    async fn run(&self, signals: mpsc::Sender<ObsSignal>) {
        tokio::select! {
            never = self.connect() => match never {},
            never = self.queue.deliver(&signals) => match never {},
        }
    }

    async fn stats(&self) -> Result<ObsStats, ObsError> {
        self.read::<dto::Stats>("GetStats", Value::Null).await.map(Into::into)
    }

    async fn stream_status(&self) -> Result<StreamStatus, ObsError> {
        self.read::<dto::Stream>("GetStreamStatus", Value::Null).await.map(Into::into)
    }

    async fn start_stream(&self) -> Result<Effect, ObsError> {
        self.effect("StartStream", code::OUTPUT_RUNNING).await
    }

    async fn stop_stream(&self) -> Result<Effect, ObsError> {
        self.effect("StopStream", code::OUTPUT_NOT_RUNNING).await
    }

    async fn stream_destination(&self) -> Result<StreamDestination, ObsError> {
        let service: dto::Service = self.read("GetStreamServiceSettings", Value::Null).await?;
        let dto::ServiceSettings { server, key } = service.stream_service_settings;
        Ok(StreamDestination { server, key: crate::domain::secret::Secret::new(key) })
    }

    async fn set_stream_destination(&self, destination: &StreamDestination) -> Result<(), ObsError> {
        let Some(server) = &destination.server else {
            return Err(ObsError::Unsupported("a destination needs an address".to_owned()));
        };
        let key = destination.key.expose();
        let settings = json!({ "server": server, "key": key, "use_auth": false });
        let data = json!({ "streamServiceType": "rtmp_custom", "streamServiceSettings": settings });
        self.order("SetStreamServiceSettings", data).await.map_err(|error| match error {
            // OBS does not repeat the key. If a version does, it goes no further.
            ObsError::Refused { request, code, comment } if !key.is_empty() => {
                ObsError::Refused { request, code, comment: comment.replace(key, "***") }
            }
            other => other,
        })
    }

    async fn video(&self) -> Result<VideoOutput, ObsError> {
        self.read::<dto::Video>("GetVideoSettings", Value::Null).await.map(Into::into)
    }

    async fn set_video(&self, video: VideoOutput) -> Result<(), ObsError> {
        let VideoOutput { width, height, fps: (numerator, denominator) } = video;
        let data = json!({
            "outputWidth": width, "outputHeight": height, "fpsNumerator": numerator, "fpsDenominator": denominator,
        });
        self.order("SetVideoSettings", data).await
    }

    async fn encoding(&self) -> Result<Encoding, ObsError> {
        self.require_simple_mode().await?;
        let bitrate = self.parameter("SimpleOutput", "VBitrate").await?;
        let bitrate_kbps = bitrate.parse().map_err(|_| ObsError::Malformed("GetProfileParameter"))?;
        Ok(Encoding { bitrate_kbps, encoder: self.parameter("SimpleOutput", "StreamEncoder").await? })
    }

    async fn set_encoding(&self, encoding: &Encoding) -> Result<(), ObsError> {
        self.require_simple_mode().await?;
        self.set_parameter("SimpleOutput", "VBitrate", &encoding.bitrate_kbps.to_string()).await?;
        self.set_parameter("SimpleOutput", "StreamEncoder", &encoding.encoder).await
    }

    async fn scenes(&self) -> Result<Scenes, ObsError> {
        self.read::<dto::SceneList>("GetSceneList", Value::Null).await.map(Into::into)
    }

    async fn create_scene(&self, scene: &str) -> Result<Creation, ObsError> {
        let created = self.create("CreateScene", json!({ "sceneName": scene })).await?;
        Ok(if created.is_some() { Creation::Created } else { Creation::Existed })
    }

    async fn switch_scene(&self, scene: &str) -> Result<(), ObsError> {
        self.order("SetCurrentProgramScene", json!({ "sceneName": scene })).await?;
        let (limit, pause) = SWITCH;
        let started = Instant::now();
        loop {
            let program = self.program_scene().await?;
            if program.as_deref() == Some(scene) {
                return Ok(());
            }
            if started.elapsed() >= limit {
                let other = program.map_or("none".to_owned(), |other| format!("'{other}'"));
                return Err(ObsError::NotApplied(format!(
                    "the program scene is {other} instead of '{scene}'"
                )));
            }
            sleep(pause).await;
        }
    }

    async fn set_transition(&self, transition: Transition) -> Result<(), ObsError> {
        let (kind, duration) = match transition {
            Transition::Cut => ("cut_transition", None),
            Transition::Fade(duration) => ("fade_transition", Some(duration)),
        };
        let all: dto::Transitions = self.read("GetSceneTransitionList", Value::Null).await?;
        let found = all.transitions.into_iter().find(|one| one.transition_kind == kind);
        let found =
            found.ok_or_else(|| ObsError::Unsupported(format!("it has no transition of kind {kind}")))?;
        self.order("SetCurrentSceneTransition", json!({ "transitionName": found.transition_name })).await?;
        let Some(duration) = duration else { return Ok(()) };
        let data = json!({ "transitionDuration": u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) });
        self.order("SetCurrentSceneTransitionDuration", data).await
    }

    async fn scene_items(&self, scene: &str) -> Result<Vec<SceneItem>, ObsError> {
        self.read::<dto::Items>("GetSceneItemList", json!({ "sceneName": scene })).await.map(Into::into)
    }

    async fn inputs(&self) -> Result<Vec<Input>, ObsError> {
        self.read::<dto::Inputs>("GetInputList", Value::Null).await.map(Into::into)
    }

    async fn create_input(&self, scene: &str, input: &str, new: &NewInput) -> Result<Creation, ObsError> {
        let (prefixes, settings) = dto::kinds_and_settings(new);
        let kind = self.kind(prefixes).await?;
        let data = json!({
            "sceneName": scene, "inputName": input, "inputKind": kind, "inputSettings": settings,
            "sceneItemEnabled": true,
        });
        let Some(created) = self.create("CreateInput", data).await? else { return Ok(Creation::Existed) };
        let created: dto::CreatedInput =
            serde_json::from_value(created).map_err(|_| ObsError::Malformed("CreateInput"))?;
        self.fit(scene, created.scene_item_id).await?;
        Ok(Creation::Created)
    }

    async fn source_active(&self, source: &str) -> Result<SourceActive, ObsError> {
        self.read::<dto::Active>("GetSourceActive", json!({ "sourceName": source })).await.map(Into::into)
    }

    async fn luminance(&self, source: &str) -> Result<f32, ObsError> {
        let (width, height) = picture::SIZE;
        let data =
            json!({ "sourceName": source, "imageFormat": "bmp", "imageWidth": width, "imageHeight": height });
        let shot: dto::Screenshot = self.read("GetSourceScreenshot", data).await?;
        picture::luminance(&shot.image_data).ok_or(ObsError::Malformed("GetSourceScreenshot"))
    }

    async fn media(&self, input: &str) -> Result<Media, ObsError> {
        self.read::<dto::InputSettings>("GetInputSettings", named(input)).await.map(Into::into)
    }

    async fn set_media(&self, input: &str, media: &Media) -> Result<(), ObsError> {
        let data =
            json!({ "inputName": input, "inputSettings": dto::media_settings(media), "overlay": true });
        self.order("SetInputSettings", data).await
    }

    async fn media_status(&self, input: &str) -> Result<MediaStatus, ObsError> {
        self.read::<dto::MediaInput>("GetMediaInputStatus", named(input)).await.map(Into::into)
    }

    async fn media_action(&self, input: &str, action: MediaAction) -> Result<(), ObsError> {
        let action = match action {
            MediaAction::Play => "PLAY",
            MediaAction::Pause => "PAUSE",
            MediaAction::Stop => "STOP",
            MediaAction::Restart => "RESTART",
        };
        let action = format!("OBS_WEBSOCKET_MEDIA_INPUT_ACTION_{action}");
        self.order("TriggerMediaInputAction", json!({ "inputName": input, "mediaAction": action })).await
    }

    async fn set_media_cursor(&self, input: &str, cursor: Duration) -> Result<(), ObsError> {
        let millis = u64::try_from(cursor.as_millis()).unwrap_or(u64::MAX);
        self.order("SetMediaInputCursor", json!({ "inputName": input, "mediaCursor": millis })).await
    }

    async fn volume(&self, input: &str) -> Result<Volume, ObsError> {
        let volume: dto::InputVolume = self.read("GetInputVolume", named(input)).await?;
        let mute: dto::InputMute = self.read("GetInputMute", named(input)).await?;
        // Silence is minus infinity, which JSON does not have.
        let db = volume.input_volume_db.filter(|_| volume.input_volume_mul > 0.0);
        #[expect(clippy::cast_possible_truncation, reason = "a level needs no more precision")]
        let db = db.map_or(SILENCE_DB, |db| (db as f32).max(SILENCE_DB));
        Ok(Volume { db, muted: mute.input_muted })
    }

    async fn set_volume(&self, input: &str, db: f32) -> Result<(), ObsError> {
        let volume = db.clamp(SILENCE_DB, 26.0);
        self.order("SetInputVolume", json!({ "inputName": input, "inputVolumeDb": volume })).await
    }

    fn measure_audio(&self, is_on: bool) {
        self.measure.send_if_modified(|measure| std::mem::replace(measure, is_on) != is_on);
    }

    fn audio_levels(&self) -> Vec<AudioLevel> {
        self.levels().read(Instant::now())
    }
}
