//! The driver of background work: starts tasks, keeps the lease of this instance, and shows how they are doing.
//!
//! A periodic task does the same amount of work each time, is idempotent and does not retry inside: the next tick is
//! the retry. The driver does the rest: no overlap, a limit on the time of a tick, survival of a panic, a status anyone
//! can read, and, with several instances, an assignment without which the task does not run.

mod driver;
mod instance;
mod running;
mod schedule;
mod status;
mod supervisor;
#[cfg(test)]
mod tests;

pub use instance::LeaseTerms;
pub use running::{TaskHandle, Tasks};
pub use supervisor::supervise;
