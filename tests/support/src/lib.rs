//! Shared parts of the test binaries and the benches. A separate crate, so that it is built once, and only it needs the
//! heavy Docker client.
//!
//! ```ignore
//! let database = streamward_test_support::database(|url| async move { migrate(&url).await }).await;
//! let store = open(database.url());
//! ```

mod cluster;
mod database;
mod docker;
pub mod feed_server;
pub mod fuzz;
pub mod kick;
mod mediamtx;
pub mod obs;
pub mod oidc;
mod pgbouncer;
pub mod platform;
pub mod ports;
pub mod process;
pub mod srs;
mod time_limit;
mod watchdog;

pub use cluster::Cluster;
pub use database::{Database, database, empty_database};
pub use mediamtx::mediamtx_from_image;
pub use pgbouncer::PgBouncer;
pub use time_limit::TimeLimit;
