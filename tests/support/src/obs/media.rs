//! Media inputs of the fake OBS.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::studio::{Answer, Due, MEDIA, Studio};

/// What a media input does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum MediaRun {
    /// It never played.
    None,
    /// It plays a file of this length from `offset` since `since`; a broken one has the length 0.
    Playing {
        since: Instant,
        offset: Duration,
        length: Duration,
        run: u64,
    },
    Paused {
        at: Duration,
        length: Duration,
    },
    /// At the end. `true` if its last picture is still there.
    Ended(bool),
}

impl MediaRun {
    pub(super) fn is_playing(&self) -> bool {
        matches!(self, Self::Playing { length, .. } if !length.is_zero())
    }

    pub(super) fn shows_a_picture(&self) -> bool {
        self.is_playing() || matches!(self, Self::Paused { .. } | Self::Ended(true))
    }

    /// The place in the file and its length. Only while it plays or is paused.
    fn place(&self) -> Option<(Duration, Duration)> {
        match self {
            Self::Playing { since, offset, length, .. } => {
                Some(((*offset + since.elapsed()).min(*length), *length))
            }
            Self::Paused { at, length } => Some((*at, *length)),
            Self::None | Self::Ended(_) => None,
        }
    }

    /// The answer to `GetMediaInputStatus`.
    pub(super) fn status(&self) -> Value {
        let state = match self {
            Self::None => "NONE",
            Self::Playing { .. } => "PLAYING",
            Self::Paused { .. } => "PAUSED",
            Self::Ended(_) => "ENDED",
        };
        let place = self.place();
        let millis = |time: Duration| time.as_millis() as u64;
        json!({
            "mediaState": format!("OBS_MEDIA_STATE_{state}"),
            "mediaCursor": place.map(|(at, _)| millis(at)),
            "mediaDuration": place.map(|(_, length)| millis(length)),
        })
    }
}

impl Studio {
    fn setting(&self, input: &str, name: &str) -> Option<&Value> {
        self.inputs.get(input)?.settings.get(name)
    }

    fn is_set(&self, input: &str, name: &str, default: bool) -> bool {
        self.setting(input, name).and_then(Value::as_bool).unwrap_or(default)
    }

    fn is_media(&self, input: &str) -> bool {
        self.inputs.get(input).is_some_and(|input| input.kind == "ffmpeg_source")
    }

    /// How long its file is; `None` if it is missing or broken.
    fn length(&self, input: &str) -> Option<Duration> {
        let name = if self.is_set(input, "is_local_file", true) { "local_file" } else { "input" };
        self.setting(input, name).and_then(Value::as_str).and_then(|file| self.files.get(file)).copied()
    }

    fn set_media(&mut self, input: &str, media: MediaRun) {
        if let Some(input) = self.inputs.get_mut(input) {
            input.media = media;
        }
    }

    fn media(&self, input: &str) -> MediaRun {
        self.inputs.get(input).map_or(MediaRun::None, |input| input.media)
    }

    fn media_event(&self, name: &'static str, input: &str) {
        self.emit(MEDIA, name, json!({ "inputName": input }));
    }

    fn play(&mut self, input: &str, offset: Duration, length: Duration) {
        let run = self.next_run();
        self.set_media(input, MediaRun::Playing { since: Instant::now(), offset, length, run });
        if !length.is_zero() {
            self.schedule(length.saturating_sub(offset), Due::MediaEnds { input: input.to_owned(), run });
        }
    }

    /// Its settings changed, or it begins again. A missing or broken file ends at once.
    fn begin(&mut self, input: &str) {
        self.media_event("MediaInputPlaybackStarted", input);
        match self.length(input) {
            Some(length) => self.play(input, Duration::ZERO, length),
            None => {
                self.set_media(input, MediaRun::Ended(false));
                self.media_event("MediaInputPlaybackEnded", input);
            }
        }
    }

    /// New settings. Unless it is in the program, media wait for that.
    pub(super) fn media_changed(&mut self, input: &str) {
        if !self.is_media(input) {
            return;
        }
        if self.is_active(input) || !self.is_set(input, "restart_on_activate", true) {
            self.begin(input);
        } else {
            let is_good = self.length(input).is_some();
            self.set_media(input, if is_good { MediaRun::None } else { MediaRun::Ended(false) });
            if !is_good {
                self.media_event("MediaInputPlaybackEnded", input);
            }
        }
    }

    /// Its scene is in the program now. Of a missing or broken file OBS then says that it plays, with the length 0.
    pub(super) fn media_activated(&mut self, input: &str) {
        if self.is_media(input) && self.is_set(input, "restart_on_activate", true) {
            self.media_event("MediaInputPlaybackStarted", input);
            let length = self.length(input).unwrap_or_default();
            self.play(input, Duration::ZERO, length);
        }
    }

    /// Its scene is not in the program any more.
    pub(super) fn media_deactivated(&mut self, input: &str) {
        if self.is_media(input)
            && self.is_set(input, "restart_on_activate", true)
            && matches!(self.media(input), MediaRun::Playing { .. } | MediaRun::Paused { .. })
        {
            self.set_media(input, MediaRun::Ended(false));
            self.media_event("MediaInputPlaybackEnded", input);
        }
    }

    /// It plays to the end of its file.
    pub(super) fn media_ends(&mut self, input: &str, run: u64) {
        let MediaRun::Playing { run: present, length, .. } = self.media(input) else { return };
        if present != run {
            return;
        }
        if self.is_set(input, "looping", false) {
            self.play(input, Duration::ZERO, length);
        } else {
            let keeps_picture = !self.is_set(input, "clear_on_media_end", true);
            self.set_media(input, MediaRun::Ended(keeps_picture));
            self.media_event("MediaInputPlaybackEnded", input);
        }
    }

    pub(super) fn media_action(&mut self, input: &str, action: &str) -> Answer {
        match (action.strip_prefix("OBS_WEBSOCKET_MEDIA_INPUT_ACTION_"), self.media(input)) {
            (Some("PAUSE"), playing @ MediaRun::Playing { length, .. }) => {
                let at = playing.place().map_or(Duration::ZERO, |(at, _)| at);
                self.set_media(input, MediaRun::Paused { at, length });
            }
            (Some("PLAY"), MediaRun::Paused { at, length }) => {
                self.media_event("MediaInputPlaybackStarted", input);
                self.play(input, at, length);
            }
            (Some("PLAY"), MediaRun::Playing { .. }) => {}
            (Some("PLAY" | "RESTART"), _) => self.begin(input),
            (Some("STOP"), _) => {
                self.set_media(input, MediaRun::Ended(false));
                self.media_event("MediaInputPlaybackEnded", input);
            }
            (Some("PAUSE"), _) => {}
            _ => return Err((400, format!("{action} is no action"))),
        }
        self.emit(MEDIA, "MediaInputActionTriggered", json!({ "inputName": input, "mediaAction": action }));
        Ok(Value::Null)
    }

    pub(super) fn set_cursor(&mut self, input: &str, to: Duration) -> Answer {
        match self.media(input) {
            MediaRun::Playing { length, .. } => self.play(input, to.min(length), length),
            MediaRun::Paused { length, .. } => {
                self.set_media(input, MediaRun::Paused { at: to.min(length), length })
            }
            MediaRun::None | MediaRun::Ended(_) => {
                let comment =
                    "The media input must be playing or paused in order to set the cursor position.";
                return Err((604, comment.to_owned()));
            }
        }
        Ok(Value::Null)
    }
}
