//! Users: who signs in, and what they may do.

use std::sync::Arc;
use std::time::Duration;

use crate::adapters::cli::user::{UserCommand, run};
use crate::adapters::http::user::{UserState, routes};
use crate::app::task::AnyTask;
use crate::app::user::ResetMails;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice, commands};

/// How long failed attempts are kept. They are forgotten earlier.
const ATTEMPTS: Duration = Duration::from_secs(2 * 3_600);

pub(super) const SLICE: Slice = Slice {
    document: || routes().document(),
    commands: &[commands!("user", "Manage users, who sign in", UserCommand, |command, api, out| run(
        api, &command, out
    ))],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    let state = UserState::new(Arc::clone(&shared.users), parts.gate.cookies());
    parts.add_routes(routes(), state);
    if shared.outside.mailer.is_some() {
        parts.tasks.push(AnyTask::periodic(ResetMails::new(Arc::clone(&shared.users))));
    }
    parts.retain(Duration::ZERO, |store, at| store.prune_sessions(at));
    parts.retain(Duration::ZERO, |store, at| store.prune_links(at));
    parts.retain(ATTEMPTS, |store, at| store.prune_attempts(at));
}
