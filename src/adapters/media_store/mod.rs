//! The files of clips: in a folder (`local.rs`), or in an S3 bucket with a folder as the cache (`bucket.rs`).
//!
//! ```text
//! uploads/<clip>            what was uploaded so far
//! work/<clip>-<job>.flv     what a job writes
//! clips/<clip>/<hash>       the uploaded file, named by its content
//! clips/<clip>/<hash>.flv   a rendition, named by its content; beside it its MP4, if one is wanted
//! slates/<profile>.flv      the built-in picture in a profile
//! fetching/<random>         what is being fetched from the bucket
//! ```
//!
//! A file gets its last name by renaming, when it is complete and on the disk. The bucket has the files of `clips` under the
//! same names.

mod bucket;
mod cache;
mod error;
mod local;
mod objects;
mod s3;
mod writer;

pub use bucket::BucketMedia;
pub use local::LocalMedia;
pub use objects::Objects;
pub use s3::S3;
