//! Studios: use-cases, and the task that supervises each of them.

mod run;
mod setup;

pub use run::StudioTasks;
pub use setup::{PlatformSetup, StudioSetup};
