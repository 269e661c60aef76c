//! The requests that the fake OBS knows.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::media::MediaRun;
use super::picture;
use super::studio::{Answer, INPUTS, ITEMS, Input, Item, Refusal, SCENES, Studio, TRANSITIONS};

const KINDS: [&str; 9] = [
    "image_source",
    "color_source_v3",
    "slideshow",
    "xshm_input",
    "pulse_input_capture",
    "pulse_output_capture",
    "v4l2_input",
    "ffmpeg_source",
    "text_ft2_source_v2",
];

fn text<'a>(data: &'a Value, field: &str) -> Result<&'a str, Refusal> {
    data[field].as_str().ok_or_else(|| (300, format!("Your request is missing the `{field}` field.")))
}

fn number(data: &Value, field: &str) -> Result<i64, Refusal> {
    data[field].as_i64().ok_or_else(|| (300, format!("Your request is missing the `{field}` field.")))
}

fn not_found(name: &str) -> Refusal {
    (600, format!("No source was found by the name of `{name}`."))
}

impl Studio {
    /// Answers a request, or refuses it.
    pub(super) fn request(&mut self, name: &str, data: &Value) -> Answer {
        if self.is_loading {
            return Err((207, "OBS is not ready to perform the request.".to_owned()));
        }
        match name {
            "GetVersion" => {
                Ok(json!({ "obsVersion": "29.0.2", "obsWebSocketVersion": "5.1.0", "rpcVersion": 1 }))
            }
            "GetStudioModeEnabled" => Ok(json!({ "studioModeEnabled": false })),
            "GetStats" => Ok(stats()),
            "GetStreamStatus" => Ok(self.stream_status()),
            "StartStream" => self.start_stream(),
            "StopStream" => self.stop_stream(),
            "GetStreamServiceSettings" => {
                Ok(json!({ "streamServiceType": "rtmp_custom", "streamServiceSettings": self.service }))
            }
            "SetStreamServiceSettings" => self.set_service(data),
            "GetVideoSettings" => Ok(json!(self.video)),
            "SetVideoSettings" => self.set_video(data),
            "GetProfileParameter" | "SetProfileParameter" => self.parameter(name, data),
            _ if name.contains("Transition") => self.transition_request(name, data),
            _ if name.contains("Scene") => self.scene_request(name, data),
            "GetInputKindList" => Ok(json!({ "inputKinds": KINDS })),
            "GetInputList" => Ok(self.input_list()),
            "CreateInput" => self.create_input(data),
            "GetSourceActive" => {
                let source = self.source(data, "sourceName")?;
                Ok(json!({ "videoActive": self.is_active(&source), "videoShowing": self.is_active(&source) }))
            }
            "GetSourceScreenshot" => {
                let source = self.source(data, "sourceName")?;
                let side = |field| number(data, field).map(|side| u32::try_from(side).unwrap_or(8));
                let image =
                    picture::grey(side("imageWidth")?, side("imageHeight")?, self.brightness_of(&source));
                Ok(json!({ "imageData": image }))
            }
            _ => self.input_request(name, data),
        }
    }

    /// The name of a scene or an input.
    fn source(&self, data: &Value, field: &str) -> Result<String, Refusal> {
        let name = text(data, field)?;
        let is_there = self.items(name).is_some() || self.inputs.contains_key(name);
        if is_there { Ok(name.to_owned()) } else { Err(not_found(name)) }
    }

    fn set_service(&mut self, data: &Value) -> Answer {
        if self.stream.is_active() {
            return Err((500, "You cannot change stream service settings while streaming.".to_owned()));
        }
        for (name, value) in data["streamServiceSettings"].as_object().into_iter().flatten() {
            self.service[name] = value.clone();
        }
        Ok(Value::Null)
    }

    fn set_video(&mut self, data: &Value) -> Answer {
        if self.stream.is_active() {
            return Err((500, "Video settings cannot be changed while an output is active.".to_owned()));
        }
        for (name, value) in data.as_object().into_iter().flatten() {
            if let (Some(kept), Some(value)) = (self.video.get_mut(name), value.as_u64()) {
                *kept = value;
            }
        }
        Ok(Value::Null)
    }

    fn parameter(&mut self, name: &str, data: &Value) -> Answer {
        let key = (text(data, "parameterCategory")?.to_owned(), text(data, "parameterName")?.to_owned());
        if name == "SetProfileParameter" {
            self.parameters.insert(key, text(data, "parameterValue")?.to_owned());
            return Ok(Value::Null);
        }
        let value = self.parameters.get(&key);
        Ok(json!({ "parameterValue": value, "defaultParameterValue": Value::Null }))
    }

    fn transition_request(&mut self, name: &str, data: &Value) -> Answer {
        match name {
            "GetSceneTransitionList" => {
                let of = |name: &str, kind: &str| json!({ "transitionName": name, "transitionKind": kind });
                let all = [of("Cut", "cut_transition"), of("Fade", "fade_transition")];
                Ok(json!({ "currentSceneTransitionName": self.transition, "transitions": all }))
            }
            "SetCurrentSceneTransition" => {
                self.transition = match text(data, "transitionName")? {
                    "Cut" => "Cut",
                    "Fade" => "Fade",
                    other => {
                        return Err((
                            600,
                            format!("No scene transition was found by the name of `{other}`."),
                        ));
                    }
                };
                let data = json!({ "transitionName": self.transition });
                self.emit(TRANSITIONS, "CurrentSceneTransitionChanged", data);
                Ok(Value::Null)
            }
            "SetCurrentSceneTransitionDuration" => match number(data, "transitionDuration")? {
                time @ 50..=20_000 => {
                    self.transition_time = time.unsigned_abs();
                    Ok(Value::Null)
                }
                _ => Err((402, "The field value of `transitionDuration` is out of range".to_owned())),
            },
            _ => Err((204, "Your request type is not valid.".to_owned())),
        }
    }

    fn item(&mut self, data: &Value) -> Result<&mut Item, Refusal> {
        let (scene, id) = (text(data, "sceneName")?, number(data, "sceneItemId")?);
        let items = self.items_mut(scene).ok_or_else(|| not_found(scene))?;
        let none = || (600, "No scene items were found in the specified scene by that ID.".to_owned());
        items.iter_mut().find(|item| item.id == id).ok_or_else(none)
    }

    fn scene_request(&mut self, name: &str, data: &Value) -> Answer {
        match name {
            "GetSceneList" => {
                let listed = self.scenes.iter().rev().enumerate();
                let scenes: Vec<Value> =
                    listed.map(|(at, (name, _))| json!({ "sceneIndex": at, "sceneName": name })).collect();
                Ok(
                    json!({ "currentProgramSceneName": self.program, "currentPreviewSceneName": null, "scenes": scenes }),
                )
            }
            "GetCurrentProgramScene" => Ok(json!({ "currentProgramSceneName": self.program })),
            "CreateScene" => {
                let scene = text(data, "sceneName")?;
                if self.source(data, "sceneName").is_ok() {
                    return Err((601, "A source already exists by that scene name.".to_owned()));
                }
                self.scenes.push((scene.to_owned(), Vec::new()));
                self.emit(SCENES, "SceneCreated", json!({ "sceneName": scene, "isGroup": false }));
                Ok(Value::Null)
            }
            "RemoveScene" => {
                let scene = text(data, "sceneName")?;
                self.items(scene).ok_or_else(|| not_found(scene))?;
                self.scenes.retain(|(name, _)| name != scene);
                self.emit(SCENES, "SceneRemoved", json!({ "sceneName": scene, "isGroup": false }));
                Ok(Value::Null)
            }
            "SetCurrentProgramScene" => {
                let scene = text(data, "sceneName")?;
                self.items(scene).ok_or_else(|| not_found(scene))?;
                self.switch(scene);
                Ok(Value::Null)
            }
            "SetSceneItemTransform" => {
                let item = self.item(data)?;
                item.transform = data["sceneItemTransform"].clone();
                Ok(Value::Null)
            }
            "GetSceneItemTransform" => Ok(json!({ "sceneItemTransform": self.item(data)?.transform })),
            "GetSceneItemList" => {
                let scene = text(data, "sceneName")?;
                let items = self.items(scene).ok_or_else(|| not_found(scene))?.iter();
                let item = |item: &Item| json!({ "sceneItemId": item.id, "sourceName": item.source, "sceneItemEnabled": item.is_enabled });
                Ok(json!({ "sceneItems": items.map(item).collect::<Vec<_>>() }))
            }
            "SetSceneItemEnabled" => {
                let is_enabled = data["sceneItemEnabled"].as_bool().unwrap_or_default();
                let item = self.item(data)?;
                let was_enabled = std::mem::replace(&mut item.is_enabled, is_enabled);
                let source = item.source.clone();
                self.emit(ITEMS, "SceneItemEnableStateChanged", data.clone());
                match (data["sceneName"] == self.program.as_str(), was_enabled, is_enabled) {
                    (true, false, true) => self.media_activated(&source),
                    (true, true, false) => self.media_deactivated(&source),
                    _ => {}
                }
                Ok(Value::Null)
            }
            _ => Err((204, "Your request type is not valid.".to_owned())),
        }
    }

    fn input_list(&self) -> Value {
        let input = |(name, input): (&String, &Input)| json!({ "inputName": name, "inputKind": input.kind });
        json!({ "inputs": self.inputs.iter().map(input).collect::<Vec<_>>() })
    }

    fn create_input(&mut self, data: &Value) -> Answer {
        let (scene, name, kind) =
            (text(data, "sceneName")?, text(data, "inputName")?, text(data, "inputKind")?);
        self.items(scene).ok_or_else(|| not_found(scene))?;
        if self.source(data, "inputName").is_ok() {
            return Err((601, "A source already exists by that input name.".to_owned()));
        }
        if !KINDS.contains(&kind) {
            return Err((605, "Your specified input kind is not supported by OBS.".to_owned()));
        }
        let settings = data["inputSettings"].as_object().cloned().unwrap_or_default();
        let input =
            Input { kind: kind.to_owned(), settings, volume: 1.0, is_muted: false, media: MediaRun::None };
        self.inputs.insert(name.to_owned(), input);
        let (id, is_enabled) = (self.next_item(), data["sceneItemEnabled"].as_bool().unwrap_or(true));
        let item = Item { id, source: name.to_owned(), is_enabled, transform: Value::Null };
        if let Some(items) = self.items_mut(scene) {
            items.push(item);
        }
        self.emit(INPUTS, "InputCreated", json!({ "inputName": name, "inputKind": kind }));
        let created = json!({ "sceneName": scene, "sourceName": name, "sceneItemId": id });
        self.emit(ITEMS, "SceneItemCreated", created);
        self.media_changed(name);
        Ok(json!({ "sceneItemId": id }))
    }

    fn input_request(&mut self, name: &str, data: &Value) -> Answer {
        const KNOWN: [&str; 9] = [
            "GetInputSettings",
            "SetInputSettings",
            "GetMediaInputStatus",
            "TriggerMediaInputAction",
            "SetMediaInputCursor",
            "GetInputVolume",
            "SetInputVolume",
            "GetInputMute",
            "SetInputMute",
        ];
        if !KNOWN.contains(&name) {
            return Err((204, "Your request type is not valid.".to_owned()));
        }
        let id = text(data, "inputName")?.to_owned();
        let input = self.inputs.get_mut(&id).ok_or_else(|| not_found(&id))?;
        if (name.contains("Volume") || name.contains("Mute")) && input.kind.starts_with("color") {
            return Err((604, "The specified input does not support audio.".to_owned()));
        }
        match name {
            "GetInputSettings" => Ok(json!({ "inputKind": input.kind, "inputSettings": input.settings })),
            "SetInputSettings" => {
                let changed: Map<_, _> = data["inputSettings"].as_object().cloned().unwrap_or_default();
                input.settings.extend(changed);
                self.media_changed(&id);
                Ok(Value::Null)
            }
            "GetMediaInputStatus" => Ok(input.media.status()),
            "TriggerMediaInputAction" => self.media_action(&id, text(data, "mediaAction")?),
            "SetMediaInputCursor" => {
                let at = number(data, "mediaCursor")?;
                self.set_cursor(&id, Duration::from_millis(at.unsigned_abs()))
            }
            "GetInputVolume" => {
                let db = (20.0 * input.volume.log10()).max(-100.0);
                Ok(json!({ "inputVolumeMul": input.volume, "inputVolumeDb": db }))
            }
            "SetInputVolume" => {
                let db = data["inputVolumeDb"].as_f64().unwrap_or_default();
                input.volume = 10_f64.powf(db / 20.0);
                Ok(Value::Null)
            }
            "GetInputMute" => Ok(json!({ "inputMuted": input.is_muted })),
            _ => {
                input.is_muted = data["inputMuted"].as_bool().unwrap_or_default();
                let data = json!({ "inputName": id, "inputMuted": input.is_muted });
                self.emit(INPUTS, "InputMuteStateChanged", data);
                Ok(Value::Null)
            }
        }
    }
}

fn stats() -> Value {
    json!({
        "cpuUsage": 12.5, "memoryUsage": 180.0, "availableDiskSpace": 20_000.0, "activeFps": 10.0,
        "averageFrameRenderTime": 0.5, "renderSkippedFrames": 0, "renderTotalFrames": 100,
        "outputSkippedFrames": 0, "outputTotalFrames": 100,
        "webSocketSessionIncomingMessages": 1, "webSocketSessionOutgoingMessages": 1,
    })
}
