//! What subcommands run with.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::bootstrap::Bootstrap;
use super::clip;
use super::config::{Loaded, Sources};
use super::databases::{Purpose, Schema};
use super::outside::destination_probe;
use super::secrets::secrets;
use super::shared::{Outside, Shared};
use super::studios::studios;
use crate::adapters::cli::api::{Api, ApiAnswer, ApiRequest, Transport};
use crate::adapters::cli::{Failure, Output, Remote};
use crate::adapters::http::{Failed, LocalCaller};
use crate::adapters::system::{SystemClock, SystemIds};
use crate::app::housekeeping::Chore as _;
use crate::domain::access::Actor;
use crate::ports::IdGen as _;

/// How long a command waits for the running service to end a session.
const END_WAIT: Duration = Duration::from_secs(5);
/// How long wake-ups to other instances may take when everything else is done.
const LEFTOVERS: Duration = Duration::from_millis(100);

/// The configuration of a command, and its output.
pub(super) struct CommandContext<'a> {
    pub(super) sources: &'a Sources,
    pub(super) out: &'a mut Output,
    /// The machine that it is for, if that is another one.
    pub(super) remote: Option<Remote>,
    /// The words of the command, for the audit log.
    pub(super) name: String,
    /// Builds the API of all slices.
    pub(super) router: fn(&Shared) -> Router,
}

impl CommandContext<'_> {
    /// The configuration. Refused if the command is for another machine.
    pub(super) fn load(&self) -> anyhow::Result<Loaded> {
        match self.remote {
            None => Ok(self.sources.load()?),
            Some(_) => Err(here_only(&self.name).into()),
        }
    }

    /// The database that the running service uses.
    pub(super) async fn open(&self, loaded: Loaded) -> anyhow::Result<Bootstrap> {
        Bootstrap::open(loaded, Purpose::Command, Schema::Expect).await
    }

    /// Runs `work` over the API: of the other machine, or within this process over the database of this one.
    pub(super) async fn api(
        mut self,
        work: impl AsyncFnOnce(&Api, &mut Output) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if let Some(remote) = self.remote.take() {
            return work(&Api::new(remote, Arc::new(SystemClock)), self.out).await;
        }
        let (actor, router) = (Actor::cli(&self.name), self.router);
        self.run(async |shared, out| {
            let here = Here { router: router(shared), actor };
            work(&Api::new(here, Arc::clone(&shared.core.clock)), out).await
        })
        .await
    }

    /// Runs `work` over the database of this machine.
    pub(super) async fn run(
        self,
        work: impl AsyncFnOnce(&Shared, &mut Output) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let base = self.open(self.load()?).await?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let instance = format!("command {}", SystemIds.uuid());
        let wake_ups = base.databases.wake_ups(&instance, &tasks, stop.clone());
        let secrets = secrets(&base).await?;
        // It loads the certificates of the system, which takes a while.
        let destination_probe = match self.name.as_str() {
            "destination test" => Some(destination_probe(base.config())?),
            _ => None,
        };
        let outside = Outside {
            media: clip::bucket(base.config())?,
            studios: studios(base.config(), &secrets.servers)?,
            destination_probe,
            ..Outside::default()
        };
        let shared = base.shared(secrets, outside, wake_ups, END_WAIT);
        let done = work(&shared, self.out).await;
        if let Err(error) = shared.audit.run().await {
            tracing::error!(%error, "the audit entry of a refused command is lost");
        }
        if base.databases.wake_ups.is_some() {
            // The last wake-ups are on their way to the other instances.
            tokio::time::sleep(LEFTOVERS).await;
        }
        stop.cancel();
        base.databases.close().await;
        done
    }
}

/// Why a command is refused that is for another machine.
pub(super) fn here_only(name: &str) -> Failure {
    Failure::Usage(format!(
        "`streamward {name}` works on this machine only: run it there, or leave out --url (STREAMWARD_URL)"
    ))
}

/// The API within this process.
struct Here {
    router: Router,
    actor: Actor,
}

#[async_trait]
impl Transport for Here {
    async fn call(&self, request: ApiRequest) -> Result<ApiAnswer, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Unreachable(error.to_string());
        let mut call = Request::builder().method(request.method).uri(&request.target);
        for (name, value) in &request.headers {
            call = call.header(*name, value);
        }
        let body = request
            .body
            .map_or_else(|| Body::from(request.part), |body| Body::from(body.expose().to_owned()));
        let mut call = call.body(body).map_err(|error| failed(&error))?;
        call.extensions_mut().insert(LocalCaller(self.actor.clone()));
        let answer = match self.router.clone().oneshot(call).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let (parts, body) = answer.into_parts();
        let headers = parts
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        let mut body = to_bytes(body, usize::MAX).await.map_err(|error| failed(&error))?.to_vec();
        if let Some(Failed(why)) = parts.extensions.get() {
            body = with_cause(body, why);
        }
        Ok(ApiAnswer { status: parts.status.as_u16(), headers: headers.collect(), body })
    }
}

/// The problem with our failure behind it: who runs a command has no log to look into.
fn with_cause(body: Vec<u8>, why: &str) -> Vec<u8> {
    let Ok(mut problem) = serde_json::from_slice::<Value>(&body) else { return body };
    let detail = problem["detail"].as_str().unwrap_or_default();
    problem["detail"] = format!("{detail} ({why})").into();
    problem.to_string().into_bytes()
}
