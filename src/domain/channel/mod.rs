//! Channels: programmes that never go dark. A channel has a preferred live input, a backup, and destinations.
//!
//! [`Programme`] is what an engine has to run; [`Decision`] and [`ProgrammeStatus`] are what it reports. [`Selector`] decides
//! what is on air, [`Timeline`] which timestamp each frame gets.

mod decision;
mod destination;
mod model;
mod patch;
mod playlist;
mod programme;
mod rehearsal;
mod selector;
mod settings;
mod srt;
mod standby;
mod status;
mod timeline;

pub use super::ClipId;
pub use super::local_time::{Day, TimeOfDay, TimeZone};
pub use super::profile::{Audio, Profile, Video};
pub use decision::{Decision, DecisionId, DecisionKind, Reason, Source};
pub use destination::{Destination, DestinationId, Platform, PushUrl};
pub use model::{Backup, Channel, ChannelId, ChannelName, Hold, Inputs, uses};
pub use patch::{ChannelPatch, DestinationPatch, FailoverPatch, ProfilePatch};
pub use playlist::{Playlist, PlaylistChange, Slot};
pub use programme::{BackupMedia, Output, OutputId, Programme};
pub use rehearsal::{HOLE_MS, Rehearsal, RehearsalId, RehearsalReport, RehearsalState, RehearsedOutput};
pub use selector::{Change, Choice, Selector};
pub use settings::{Engine, Failover, Flapping, Mismatch, Mode};
pub use srt::{SrtAddress, SrtKey};
pub use standby::{Observed, Publishing, Standby};
pub use status::{InputState, InputStatus, OutputState, OutputStatus, ProgrammeStatus};
pub use timeline::{Splice, Timeline, Track, wrapped};
