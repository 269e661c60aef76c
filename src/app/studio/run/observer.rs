//! Reads the state of OBS, again and again: what events do not say, and what they said if one was lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::outside::{Message, Outside};
use super::player::{Player, Playing};
use crate::domain::studio::{
    Detection, Moment, Observation, OwnerSignal, SceneName, ScenePurpose, SourceName, StreamSample,
};
use crate::ports::obs_values::AudioLevel;

/// How often it reads.
const ROUND: Duration = Duration::from_millis(250);
const SECOND: Duration = Duration::from_secs(1);
/// How often what events say is read all the same.
const SELDOM: Duration = Duration::from_secs(5);

/// What is to be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reading {
    /// Grows when OBS is connected, and when everything has to be read anew; 0 while it is not connected.
    pub(super) connection: u64,
    /// The scene that is on air.
    pub(super) scene: Option<SceneName>,
    /// What plays.
    pub(super) playing: Option<Playing>,
    /// Whether automation decides: otherwise neither picture nor sound matter.
    pub(super) is_on_air: bool,
}

/// Reads the state of OBS.
pub(super) struct Observer {
    outside: Outside,
    reading: watch::Receiver<Reading>,
    /// Something happened: read at once.
    hurry: Arc<Notify>,
    player: Option<Player>,
    connection: u64,
    /// When each was last read.
    last: [Option<Moment>; 5],
    is_owner_active: bool,
}

/// What is read at intervals; its place in `last`.
#[derive(Clone, Copy)]
enum Part {
    Stream,
    Scene,
    Owner,
    Picture,
    Stats,
}

impl Observer {
    pub(super) fn new(outside: Outside, reading: watch::Receiver<Reading>, hurry: Arc<Notify>) -> Self {
        Self { outside, reading, hurry, player: None, connection: 0, last: [None; 5], is_owner_active: false }
    }

    /// Reads until it is dropped.
    pub(super) async fn run(mut self) {
        let mut rounds = interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = rounds.tick() => {}
                () = self.hurry.notified() => {}
                changed = self.reading.changed() => if changed.is_err() { return },
            }
            let reading = self.reading.borrow_and_update().clone();
            if reading.connection == 0 {
                continue;
            }
            if reading.connection != self.connection {
                (self.connection, self.last) = (reading.connection, [None; 5]);
            }
            self.round(&reading).await;
        }
    }

    /// Whether a part is due, and notes that it is read.
    fn is_due(&mut self, part: Part, every: Duration) -> bool {
        let now = self.outside.clock.now();
        let last = &mut self.last[part as usize];
        let is_due = last.is_none_or(|last| now.since(last) + ROUND / 2 >= every);
        if is_due {
            *last = Some(now);
        }
        is_due
    }

    async fn round(&mut self, reading: &Reading) {
        let obs = Arc::clone(&self.outside.setup.obs);
        // First what a gap between two items depends on.
        self.read_player(reading).await;
        if self.is_due(Part::Stream, SECOND)
            && let Some(status) = self.outside.answer(obs.stream_status()).await
        {
            let sample = StreamSample {
                active: status.active,
                reconnecting: status.reconnecting,
                duration: status.duration,
                bytes: status.bytes,
                skipped_frames: status.dropped_frames,
                total_frames: status.total_frames,
            };
            self.outside.send(Message::Stream(self.outside.clock.now(), sample)).await;
        }
        if self.is_due(Part::Scene, SELDOM)
            && let Some(scenes) = self.outside.answer(obs.scenes()).await
            && let Some(scene) = scenes.program.and_then(|scene| SceneName::parse(&scene).ok())
        {
            self.outside.saw(Observation::Scene(scene)).await;
        }
        if reading.is_on_air {
            self.read_sound().await;
            if self.is_due(Part::Owner, SECOND) {
                self.read_owner().await;
            }
            if self.is_due(Part::Picture, SECOND) {
                self.read_picture(reading).await;
            }
        }
        if self.is_due(Part::Stats, SELDOM)
            && let Some(stats) = self.outside.answer(obs.stats()).await
        {
            self.outside.send(Message::Stats(stats)).await;
        }
    }

    async fn read_player(&mut self, reading: &Reading) {
        if self.player.as_ref().map(|player| &player.playing) != reading.playing.as_ref() {
            self.player = reading.playing.clone().map(Player::new);
        }
        let Some(player) = self.player.as_mut().filter(|player| !player.has_ended) else { return };
        let (outside, obs) = (&self.outside, &self.outside.setup.obs);
        let Some(status) = outside.answer(obs.media_status(&player.playing.input)).await else { return };
        let Some(observation) = player.see(outside.clock.now(), status) else { return };
        let position = player.playing.position;
        if matches!(observation, Observation::MediaStarted { .. })
            && !position.is_zero()
            && let Err(error) = obs.set_media_cursor(&player.playing.input, position).await
        {
            tracing::info!(studio = %outside.setup.name, %error, "content that was interrupted plays from its beginning");
        }
        outside.saw(observation).await;
    }

    /// The loudest of all that is heard, and of the owner's sources. What OBS does not measure is unknown.
    async fn read_sound(&self) {
        let levels = self.outside.setup.obs.audio_levels();
        let loudest = |of: &dyn Fn(&AudioLevel) -> bool| {
            levels.iter().filter(|level| of(level)).map(|level| f64::from(level.peak_db)).reduce(f64::max)
        };
        if let Some(db) = loudest(&|_| true) {
            self.outside.saw(Observation::Sound(db)).await;
        }
        let sources = &self.outside.setup.settings.owner.sources;
        let is_owners = |level: &AudioLevel| sources.iter().any(|source| source.as_str() == level.input);
        if let Some(db) = loudest(&is_owners) {
            self.outside.saw(Observation::OwnerSound(db)).await;
        }
    }

    async fn read_owner(&mut self) {
        let setup = Arc::clone(&self.outside.setup);
        let owner = &setup.settings.owner;
        if owner.sources.is_empty() {
            return;
        }
        let found = match owner.detection {
            Detection::SourceEnabled => self.enabled().await,
            Detection::AudioLevel => self.levels(),
            Detection::VideoActive => self.pictures(owner.min_luminance).await,
        };
        self.is_owner_active = found.iter().any(|(_, signal)| match signal {
            OwnerSignal::Enabled(is_on) | OwnerSignal::Video(is_on) => *is_on,
            OwnerSignal::Level(db) => *db >= owner.audio_threshold_db,
        });
        for (source, signal) in found {
            self.outside.saw(Observation::OwnerSource { source, signal }).await;
        }
        let scene = setup.settings.scenes.name(ScenePurpose::Owner).as_str();
        if self.is_owner_active
            && let Some(luminance) = self.outside.answer(setup.obs.luminance(scene)).await
        {
            self.outside.saw(Observation::OwnerPicture(luminance.into())).await;
        }
    }

    async fn enabled(&self) -> Vec<(SourceName, OwnerSignal)> {
        let setup = &self.outside.setup;
        let scene = setup.settings.scenes.name(ScenePurpose::Owner).as_str();
        let Some(items) = self.outside.answer(setup.obs.scene_items(scene)).await else { return Vec::new() };
        let sources = setup.settings.owner.sources.iter();
        let is_enabled =
            |source: &SourceName| items.iter().any(|item| item.source == source.as_str() && item.enabled);
        sources.map(|source| (source.clone(), OwnerSignal::Enabled(is_enabled(source)))).collect()
    }

    fn levels(&self) -> Vec<(SourceName, OwnerSignal)> {
        let levels = self.outside.setup.obs.audio_levels();
        let level = |source: &SourceName| {
            let found = levels.iter().find(|level| level.input == source.as_str())?;
            Some((source.clone(), OwnerSignal::Level(found.peak_db.into())))
        };
        self.outside.setup.settings.owner.sources.iter().filter_map(level).collect()
    }

    async fn pictures(&self, min_luminance: f64) -> Vec<(SourceName, OwnerSignal)> {
        let mut found = Vec::new();
        for source in &self.outside.setup.settings.owner.sources {
            let luminance = self.outside.setup.obs.luminance(source.as_str());
            if let Some(luminance) = self.outside.answer(luminance).await {
                let has_picture = f64::from(luminance) >= min_luminance;
                found.push((source.clone(), OwnerSignal::Video(has_picture)));
            }
        }
        found
    }

    async fn read_picture(&self, reading: &Reading) {
        let Some(scene) = &reading.scene else { return };
        let luminance = self.outside.setup.obs.luminance(scene.as_str());
        if let Some(luminance) = self.outside.answer(luminance).await {
            self.outside.saw(Observation::Picture(luminance.into())).await;
        }
    }
}
