//! The driver of background work: starts tasks, keeps the lease of this instance, and reports the status of tasks.
//!
//! A periodic task does the same amount of work each time, is idempotent and does not retry inside: the next tick is
//! the retry. The driver does the rest: no overlap, a time limit for each tick, survival of a panic, a status, and, with
//! several instances, an assignment to one of them.

mod driver;
mod instance;
mod running;
mod schedule;
mod status;
#[cfg(test)]
mod tests;

pub use instance::LeaseTerms;
pub use running::Tasks;
