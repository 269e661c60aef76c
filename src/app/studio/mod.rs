//! Studios: use-cases, and the task that supervises each of them.

mod setup;

pub use setup::{PlatformSetup, StudioSetup};
