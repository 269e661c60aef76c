//! What plays when in a studio.

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

use super::DateTime;
use crate::app::studio::{LibraryEntry, SchedulePreview, StudioSchedule};
use crate::domain::studio::{
    AgeRating, Block, ContentKind, ContentSource, Day, Media, PlannedTime, Tier, TimeZone,
};

/// What plays when.
#[derive(Serialize, ToSchema)]
#[schema(as = StudioSchedule)]
pub(crate) struct ScheduleView {
    /// Whose clock counts.
    #[schema(example = "Europe/Vienna")]
    time_zone: String,
    /// They do not overlap.
    blocks: Vec<ScheduleBlockView>,
    content: Vec<ScheduleContentView>,
}

/// A span of local wall time, and what may play in it.
#[derive(Serialize, ToSchema)]
#[schema(as = ScheduleBlock)]
pub(crate) struct ScheduleBlockView {
    /// No two blocks have the same.
    #[schema(min_length = 1, max_length = 100, example = "After school")]
    name: String,
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", example = "15:00")]
    from: String,
    /// If it is earlier than `from`: on the next day.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", example = "18:00")]
    to: String,
    /// The days on which it begins; every day if none is given.
    #[schema(required = false)]
    days: Vec<Day>,
    /// For whom its content is; `all_ages` if it is not given.
    #[schema(required = false)]
    age: AgeRating,
    /// The kinds of content in it; all if none is given.
    #[schema(required = false)]
    kinds: Vec<ContentKind>,
}

/// Something that can play.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = ScheduleContent)]
pub(crate) struct ScheduleContentView {
    /// No two have the same.
    #[schema(min_length = 1, max_length = 100, example = "Episode 1")]
    name: String,
    media: ScheduleMediaView,
    /// For whom it is; `all_ages` if it is not given.
    #[schema(required = false)]
    age: AgeRating,
    /// The names of the blocks in which it plays. None means every block, and also the time without a block.
    #[schema(required = false)]
    blocks: Vec<String>,
    /// What plays first; `standard` if it is not given.
    #[schema(required = false)]
    tier: Tier,
    /// Its place among content of the same tier, lowest first; 50 if it is not given.
    #[schema(required = false, minimum = 11, maximum = 100)]
    priority: u8,
    /// It plays for this long at most.
    #[schema(minimum = 1)]
    plays_for_seconds: Option<u32>,
}

/// Where content comes from.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = ScheduleMedia)]
enum ScheduleMediaView {
    /// A video file.
    VideoFile {
        /// Its path, on the machine of OBS.
        #[schema(example = "/media/episode1.mp4")]
        path: String,
    },
    /// A scene in OBS.
    SceneComposition {
        /// Its name.
        #[schema(min_length = 1, max_length = 100)]
        scene: String,
    },
    /// A stream that OBS reads.
    LiveInput {
        /// Its address, without user, password and key.
        #[schema(example = "srt://10.0.0.5:9000")]
        url: String,
    },
}

impl From<Block> for ScheduleBlockView {
    fn from(block: Block) -> Self {
        let Block { name, from, to, days, age, kinds } = block;
        Self { name, from: from.to_string(), to: to.to_string(), days, age, kinds }
    }
}

impl From<ContentSource> for ScheduleContentView {
    fn from(source: ContentSource) -> Self {
        let ContentSource { name, media, age, blocks, tier, priority, plays_for_seconds } = source;
        let media = match media {
            Media::VideoFile { path } => ScheduleMediaView::VideoFile { path },
            Media::SceneComposition { scene } => ScheduleMediaView::SceneComposition { scene: scene.into() },
            Media::LiveInput { url } => ScheduleMediaView::LiveInput { url },
        };
        Self { name: name.into(), media, age, blocks, tier, priority, plays_for_seconds }
    }
}

impl From<StudioSchedule> for ScheduleView {
    fn from(StudioSchedule { schedule, .. }: StudioSchedule) -> Self {
        Self {
            time_zone: schedule.time_zone.to_string(),
            blocks: schedule.blocks.into_iter().map(ScheduleBlockView::from).collect(),
            content: schedule.content.into_iter().map(ScheduleContentView::from).collect(),
        }
    }
}

/// What plays in a time.
#[derive(Serialize, ToSchema)]
#[schema(as = SchedulePreview)]
pub(crate) struct SchedulePreviewView {
    from: DateTime,
    to: DateTime,
    #[schema(example = "Europe/Vienna")]
    time_zone: String,
    /// In order, without gaps.
    times: Vec<PlannedTimeView>,
}

/// A time in which the same content plays.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = PlannedTime)]
struct PlannedTimeView {
    from: DateTime,
    to: DateTime,
    /// The same on the clock of the schedule, with its offset from UTC.
    #[schema(example = "2026-03-29T03:30:00+02:00")]
    local_from: String,
    local_to: String,
    /// The name of the block. Absent for a time without one.
    block: Option<String>,
    /// What plays, in this order, again and again. If it is empty, failover content plays.
    plays: Vec<String>,
    /// What would play, but was not found playable.
    unplayable: Vec<String>,
}

impl From<SchedulePreview> for SchedulePreviewView {
    fn from(preview: SchedulePreview) -> Self {
        let SchedulePreview { from, to, time_zone, times } = preview;
        let times = times.into_iter().map(|time| planned(time, time_zone)).collect();
        Self { from, to, time_zone: time_zone.to_string(), times }
    }
}

fn planned(time: PlannedTime, zone: TimeZone) -> PlannedTimeView {
    let PlannedTime { from, to, block, plays, unplayable } = time;
    let names = |names: Vec<_>| names.into_iter().map(String::from).collect();
    PlannedTimeView {
        from,
        to,
        local_from: zone.rfc3339(from),
        local_to: zone.rfc3339(to),
        block,
        plays: names(plays),
        unplayable: names(unplayable),
    }
}

/// The content of a studio.
#[derive(Serialize, ToSchema)]
#[schema(as = ContentLibrary)]
pub(crate) struct ContentLibraryView {
    content: Vec<LibraryEntryView>,
    count: usize,
}

/// A source of content, and whether it was found playable.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = ContentLibraryEntry)]
struct LibraryEntryView {
    #[serde(flatten)]
    source: ScheduleContentView,
    /// Whether it may be played.
    playable: bool,
    /// Whether it has to be verified: never before, or more than a day ago.
    due: bool,
    last_verified_at: Option<DateTime>,
    /// Why it cannot be played.
    problem: Option<String>,
    /// How long it plays. Absent if that is not known or has no end.
    duration_sec: Option<f64>,
}

impl From<Vec<LibraryEntry>> for ContentLibraryView {
    fn from(entries: Vec<LibraryEntry>) -> Self {
        let entry = |entry: LibraryEntry| LibraryEntryView {
            source: entry.source.into(),
            playable: entry.is_playable,
            due: entry.is_due,
            last_verified_at: entry.verification.as_ref().map(|found| found.at),
            problem: entry.verification.and_then(|found| found.problem),
            duration_sec: entry.plays_for.map(|length| length.as_secs_f64()),
        };
        let content: Vec<_> = entries.into_iter().map(entry).collect();
        Self { count: content.len(), content }
    }
}
