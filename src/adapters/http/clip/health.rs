//! The section of `GET /health` about the bucket of the clips.

use std::sync::Arc;

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

use crate::adapters::http::health_section::{HealthDocument, HealthSection};
use crate::app::clip::Clips;

/// The files that this instance fetches from the bucket of the clips.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
pub(super) struct ClipsHealth {
    /// How many prepared clips are fetched now, or wait for that.
    fetching: usize,
    /// What is wrong with the bucket, or with fetching; absent if nothing is. What is on this machine is played all the same.
    #[schema(
        example = "the bucket of the clips cannot be used: s3://clips: there is no such bucket: create it, or correct media.url"
    )]
    problem: Option<String>,
}

impl HealthDocument for ClipsHealth {
    const NAME: &'static str = "clips";
    const OPTIONAL: Option<&'static str> = Some("The bucket of the clips. Absent without `media.url`.");
}

/// Adds the bucket of the clips to `/health`.
pub fn health(clips: Arc<Clips>) -> HealthSection {
    HealthSection::new(move || {
        let transfers = clips.transfers();
        let section = transfers.map(|found| ClipsHealth { fetching: found.fetching, problem: found.problem });
        async move { Ok(section) }
    })
}
