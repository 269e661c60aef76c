//! The section of `GET /health` about channels.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::adapters::http::health_section::{HealthDocument, HealthSection};
use crate::app::channel::{ProgrammeProblem, ReportBuffer};

/// The most problems in an answer.
const MOST: usize = 100;

/// The channels that run on this instance. A channel whose task fails is among the `workers`.
#[derive(Serialize, ToSchema)]
pub(super) struct ChannelsHealth {
    /// How many run here.
    running: usize,
    /// What is wrong with them, up to 100.
    problems: Vec<ChannelProblem>,
}

/// What is wrong with a channel.
#[derive(Serialize, ToSchema)]
struct ChannelProblem {
    channel_id: Uuid,
    #[schema(example = "Classroom")]
    channel: String,
    /// Such as that neither the live input nor the backup can be played, or the words of a platform that refuses.
    problem: String,
}

impl HealthDocument for ChannelsHealth {
    const NAME: &'static str = "channels";
    const OPTIONAL: Option<&'static str> =
        Some("The channels that run on this instance. Absent if `channels.enabled` is false.");
}

/// Adds the channels of this instance to `/health`.
pub fn health(reports: Arc<ReportBuffer>) -> HealthSection {
    HealthSection::new(move || {
        let (running, problems) = reports.problems();
        let problem = |ProgrammeProblem { channel, name, problem }: ProgrammeProblem| ChannelProblem {
            channel_id: channel.0,
            channel: name.into(),
            problem,
        };
        let problems = problems.into_iter().take(MOST).map(problem).collect();
        async move { Ok(Some(ChannelsHealth { running, problems })) }
    })
}
