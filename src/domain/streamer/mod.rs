//! Streamers on Kick.com and their live status.

/// Gives enums the word that is stored and shown.
macro_rules! as_str {
    ($($name:ty),+) => {
        $(impl $name {
            /// The word that is stored and shown.
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        })+
    };
}

pub mod apply;
pub mod decide;
pub mod feed;
pub mod ids;
mod row;
pub mod session;
mod status;

#[cfg(test)]
mod tests;

pub use ids::{ChannelId, ChatroomId, KickIds, Slug, UserId};
pub use row::{Found, Learned, StatusEvent, Streamer, StreamerPatch, display_name};
pub use session::Session;
pub use status::{Change, Source, Status, Track};
