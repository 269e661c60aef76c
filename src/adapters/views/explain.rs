//! Why a path is, or is not, on air.

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

use crate::domain::on_air::{Explanation, Sentence, Status};
use crate::domain::path::StreamPath;

/// Why a path is, or is not, on air.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplanationView {
    #[schema(example = "live/alice")]
    path: String,
    /// Whether it is on air, as far as that is known.
    on_air: bool,
    /// In the order from the key to the viewers.
    sentences: Vec<SentenceView>,
    /// What to do. Absent if nothing needs to be done.
    #[schema(example = "Start the encoder, with the server and the key of live/alice.")]
    next: Option<String>,
}

/// One sentence.
#[derive(Serialize, ToSchema)]
#[schema(as = Sentence)]
struct SentenceView {
    #[schema(example = "No encoder is connected.")]
    text: String,
    /// `ok`, `info`, `warn`: it may be the cause, or `fail`: it keeps the path off the air.
    #[schema(value_type = String, example = "info", pattern = "^(ok|info|warn|fail)$")]
    status: Status,
}

impl From<(StreamPath, Explanation)> for ExplanationView {
    fn from((path, Explanation { on_air, sentences, next }): (StreamPath, Explanation)) -> Self {
        let view = |Sentence { text, status }| SentenceView { text, status };
        Self { path: path.into(), on_air, sentences: sentences.into_iter().map(view).collect(), next }
    }
}
