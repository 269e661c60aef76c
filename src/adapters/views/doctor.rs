//! What the checks of the installation found, and its configuration.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

use super::DateTime;
use crate::app::doctor::Examination;
use crate::domain::finding::Finding;
use crate::ports::EffectiveConfiguration;

/// What the checks found.
#[derive(Serialize, ToSchema)]
#[schema(as = Examination)]
pub(crate) struct ExaminationView {
    /// When they began. A result is given to everybody who asks within five seconds.
    at: DateTime,
    /// The worst of all: `ok`, `skip`, `warn` or `fail`.
    #[schema(example = "warn", pattern = "^(ok|skip|warn|fail)$")]
    status: &'static str,
    checks: Vec<CheckView>,
}

/// A check.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Check)]
pub(crate) struct CheckView {
    /// Stays the same for the same subject.
    #[schema(example = "media-server-default")]
    id: String,
    /// What was checked.
    #[schema(example = "media server default")]
    check: String,
    /// `ok`; `skip`: it was not checked; `warn`: it works, but not well or not for long; `fail`: broadcasts fail because of it.
    #[schema(example = "fail", pattern = "^(ok|skip|warn|fail)$")]
    status: &'static str,
    /// What was found.
    #[schema(example = "http://127.0.0.1:9997 does not answer")]
    found: String,
    /// What to do about it.
    advice: Option<String>,
}

impl From<&Finding> for CheckView {
    fn from(finding: &Finding) -> Self {
        let Finding { check, severity, found, advice } = finding.clone();
        let advice = Some(advice).filter(|advice| !advice.is_empty());
        Self { id: finding.id(), check, status: severity.word(), found, advice }
    }
}

impl From<&Examination> for ExaminationView {
    fn from(examination: &Examination) -> Self {
        let checks = examination.findings.iter().map(CheckView::from).collect();
        Self { at: examination.at, status: examination.severity().word(), checks }
    }
}

/// The configuration as it takes effect.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Configuration)]
pub(crate) struct ConfigurationView {
    /// The file that was read.
    file: Option<String>,
    /// All values that are set, by section. Secrets are `***`.
    #[schema(value_type = Object)]
    values: serde_json::Value,
    /// Where keys were set, such as `http.listen`. The others have their defaults.
    sources: BTreeMap<String, String>,
}

impl From<EffectiveConfiguration> for ConfigurationView {
    fn from(EffectiveConfiguration { file, values, sources }: EffectiveConfiguration) -> Self {
        Self { file, values, sources }
    }
}
