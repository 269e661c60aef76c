//! What the fake OBS has: scenes, inputs, transitions; and what is due in it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::media::MediaRun;
use super::stream::Stream;
use super::{FakeOptions, Order};

/// Kinds of events, as subscribed.
pub(super) const GENERAL: u64 = 1;
pub(super) const SCENES: u64 = 4;
pub(super) const INPUTS: u64 = 8;
pub(super) const TRANSITIONS: u64 = 16;
pub(super) const OUTPUTS: u64 = 64;
pub(super) const ITEMS: u64 = 128;
pub(super) const MEDIA: u64 = 256;
pub(super) const METERS: u64 = 1 << 16;

/// How long things take. The defaults are shorter than those of the real one.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From the order to start until the platform accepted it, and from the order to stop until it stopped.
    pub stream: Duration,
    /// From the loss of the connection until the first attempt to get it back.
    pub reconnect: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { stream: Duration::from_millis(50), reconnect: Duration::from_millis(300) }
    }
}

/// Something that happened.
#[derive(Clone)]
pub(super) struct Event {
    pub(super) kind: u64,
    pub(super) name: &'static str,
    pub(super) data: Value,
}

/// Something that will happen, unless its run is over by then.
pub(super) enum Due {
    MediaEnds { input: String, run: u64 },
    SceneChanged { from: String, to: String, run: u64 },
    Streaming { run: u64 },
    Stopped { run: u64 },
    Reconnect { run: u64, delay: Duration },
}

/// An item of a scene.
pub(super) struct Item {
    pub(super) id: i64,
    pub(super) source: String,
    pub(super) is_enabled: bool,
    pub(super) transform: Value,
}

/// An input.
pub(super) struct Input {
    pub(super) kind: String,
    pub(super) settings: serde_json::Map<String, Value>,
    pub(super) volume: f64,
    pub(super) is_muted: bool,
    pub(super) media: MediaRun,
}

/// A refusal: code and comment.
pub(super) type Refusal = (u16, String);
pub(super) type Answer = Result<Value, Refusal>;

pub(super) struct Studio {
    pub(super) options: FakeOptions,
    orders: broadcast::Sender<Order>,
    due: Vec<(Instant, Due)>,
    last_run: u64,
    last_item: i64,
    /// In the order of creation; the last one is listed first.
    pub(super) scenes: Vec<(String, Vec<Item>)>,
    pub(super) inputs: BTreeMap<String, Input>,
    pub(super) program: String,
    transition_run: u64,
    pub(super) transition: &'static str,
    pub(super) transition_time: u64,
    pub(super) files: BTreeMap<String, Duration>,
    pub(super) brightness: BTreeMap<String, f32>,
    pub(super) loudness: BTreeMap<String, f32>,
    pub(super) is_loading: bool,
    pub(super) is_pinned: bool,
    pub(super) stream: Stream,
    pub(super) service: Value,
    pub(super) video: BTreeMap<String, u64>,
    pub(super) parameters: BTreeMap<(String, String), String>,
}

impl Studio {
    pub(super) fn new(options: FakeOptions, orders: broadcast::Sender<Order>) -> Self {
        let video = [("baseWidth", 640), ("baseHeight", 360), ("outputWidth", 640), ("outputHeight", 360)];
        let fps = [("fpsNumerator", 10), ("fpsDenominator", 1)];
        let parameters = [
            ("Output", "Mode", "Simple"),
            ("SimpleOutput", "VBitrate", "400"),
            ("SimpleOutput", "StreamEncoder", "x264"),
        ];
        Self {
            options,
            orders,
            due: Vec::new(),
            last_run: 0,
            last_item: 0,
            scenes: vec![("Scene".to_owned(), Vec::new())],
            inputs: BTreeMap::new(),
            program: "Scene".to_owned(),
            transition_run: 0,
            transition: "Fade",
            transition_time: 300,
            files: BTreeMap::new(),
            brightness: BTreeMap::new(),
            loudness: BTreeMap::new(),
            is_loading: false,
            is_pinned: false,
            stream: Stream::default(),
            service: json!({ "server": "auto", "key": "" }),
            video: video.into_iter().chain(fps).map(|(name, value)| (name.to_owned(), value)).collect(),
            parameters: parameters
                .into_iter()
                .map(|(a, b, c)| ((a.to_owned(), b.to_owned()), c.to_owned()))
                .collect(),
        }
    }

    /// What a new process has of the former one.
    pub(super) fn restart(&mut self) {
        self.due.clear();
        self.stream.end();
        self.is_loading = false;
        self.inputs.values_mut().for_each(|input| input.media = MediaRun::None);
    }

    /// What it says while a person quits it.
    pub(super) fn quit(&self) {
        for input in self.inputs.keys() {
            self.emit(INPUTS, "InputRemoved", json!({ "inputName": input }));
        }
        for (scene, _) in &self.scenes {
            self.emit(SCENES, "SceneRemoved", json!({ "sceneName": scene, "isGroup": false }));
        }
        self.emit(GENERAL, "ExitStarted", Value::Null);
    }

    pub(super) fn emit(&self, kind: u64, name: &'static str, data: Value) {
        // It fails if there is no connection.
        let _ = self.orders.send(Order::Event(Event { kind, name, data }));
    }

    /// A number that nothing had before.
    pub(super) fn next_run(&mut self) -> u64 {
        self.last_run += 1;
        self.last_run
    }

    pub(super) fn next_item(&mut self) -> i64 {
        self.last_item += 1;
        self.last_item
    }

    pub(super) fn schedule(&mut self, after: Duration, due: Due) {
        self.due.push((Instant::now() + after, due));
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.iter().map(|(at, _)| *at).min()
    }

    /// Makes happen what is due.
    pub(super) fn pass(&mut self, now: Instant) {
        while let Some(first) = (0..self.due.len()).min_by_key(|at| self.due[*at].0) {
            if self.due[first].0 > now {
                return;
            }
            match self.due.remove(first).1 {
                Due::MediaEnds { input, run } => self.media_ends(&input, run),
                Due::SceneChanged { from, to, run } if run == self.transition_run => {
                    self.scene_changed(&from, &to)
                }
                Due::SceneChanged { .. } => {}
                Due::Streaming { run } => self.streaming(run),
                Due::Stopped { run } => self.stopped(run),
                Due::Reconnect { run, delay } => self.reconnect(run, delay),
            }
        }
    }

    pub(super) fn items(&self, scene: &str) -> Option<&Vec<Item>> {
        self.scenes.iter().find(|(name, _)| name == scene).map(|(_, items)| items)
    }

    pub(super) fn items_mut(&mut self, scene: &str) -> Option<&mut Vec<Item>> {
        self.scenes.iter_mut().find(|(name, _)| name == scene).map(|(_, items)| items)
    }

    /// Whether a source is in the program.
    pub(super) fn is_active(&self, source: &str) -> bool {
        source == self.program
            || self
                .items(&self.program)
                .into_iter()
                .flatten()
                .any(|item| item.source == source && item.is_enabled)
    }

    /// The inputs of a scene that are visible.
    fn visible(&self, scene: &str) -> Vec<String> {
        let items = self.items(scene).into_iter().flatten();
        items.filter(|item| item.is_enabled).map(|item| item.source.clone()).collect()
    }

    /// A switch to another scene. The present one answers, and nothing happens.
    pub(super) fn switch(&mut self, to: &str) {
        if to == self.program || self.is_pinned {
            return;
        }
        let from = std::mem::replace(&mut self.program, to.to_owned());
        let (run, is_cut) = (self.next_run(), self.transition == "Cut");
        self.transition_run = run;
        self.emit(TRANSITIONS, "SceneTransitionStarted", json!({ "transitionName": self.transition }));
        for input in self.visible(to) {
            self.media_activated(&input);
        }
        let time = Duration::from_millis(if is_cut { 0 } else { self.transition_time });
        self.schedule(time, Due::SceneChanged { from, to: to.to_owned(), run });
    }

    fn scene_changed(&mut self, from: &str, to: &str) {
        self.emit(SCENES, "CurrentProgramSceneChanged", json!({ "sceneName": to }));
        let transition = json!({ "transitionName": self.transition });
        self.emit(TRANSITIONS, "SceneTransitionVideoEnded", transition.clone());
        self.emit(TRANSITIONS, "SceneTransitionEnded", transition);
        for input in self.visible(from) {
            if !self.is_active(&input) {
                self.media_deactivated(&input);
            }
        }
    }

    /// The meters: active inputs only. One without sound has no levels.
    pub(super) fn levels(&self) -> Value {
        let active = self.inputs.iter().filter(|(name, _)| self.is_active(name));
        let inputs: Vec<Value> = active
            .filter(|(_, input)| {
                !["color_source_v3", "text_ft2_source_v2", "image_source"].contains(&input.kind.as_str())
            })
            .map(|(name, input)| {
                let peak =
                    self.loudness.get(name).copied().or_else(|| input.media.is_playing().then_some(0.125));
                let heard = if input.is_muted { 0.0 } else { input.volume };
                let channel = peak.map(f64::from).map(|peak| json!([peak * heard * 0.7, peak * heard, peak]));
                let channels: Vec<Value> =
                    channel.into_iter().flat_map(|channel| [channel.clone(), channel]).collect();
                json!({ "inputName": name, "inputLevelsMul": channels })
            })
            .collect();
        json!({ "inputs": inputs })
    }

    /// The brightness of a source: the brightest of what is visible in a scene.
    pub(super) fn brightness_of(&self, source: &str) -> f32 {
        if let Some(input) = self.inputs.get(source) {
            // Pictures from outside are there only while they are shown.
            if ["ffmpeg_source", "v4l2_input"].contains(&input.kind.as_str()) && !self.is_active(source) {
                return 0.0;
            }
            let file = input.settings.get("local_file").and_then(Value::as_str).unwrap_or_default();
            if let Some(brightness) = self.brightness.get(source).or_else(|| self.brightness.get(file)) {
                return *brightness;
            }
            if let Some(colour) = input.settings.get("color").and_then(Value::as_u64) {
                let part = |shift: u32| ((colour >> shift) & 0xff) as f32 / 255.0;
                return 0.2126 * part(0) + 0.7152 * part(8) + 0.0722 * part(16);
            }
            return if input.media.shows_a_picture() { 0.5 } else { 0.0 };
        }
        self.visible(source).iter().map(|input| self.brightness_of(input)).fold(0.0, f32::max)
    }
}
