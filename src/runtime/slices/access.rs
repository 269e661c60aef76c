//! API tokens and signed requests: who may call the management API.

use std::sync::Arc;
use std::time::Duration;

use clap::{FromArgMatches as _, Subcommand as _};

use super::{Commands, Parts, Shared, Slice};
use crate::adapters::cli::access::{TokenCommand, run};
use crate::adapters::http;
use crate::app::access::SIGNATURE_WINDOW;
use crate::app::housekeeping::Retention;

pub(super) const SLICE: Slice = Slice {
    document: || http::access::routes().document(),
    commands: &[Commands {
        name: "token",
        define: |command| {
            TokenCommand::augment_subcommands(command.about("Manage tokens for the management API"))
        },
        run: |matches, context| {
            Box::pin(async move {
                let command = TokenCommand::from_arg_matches(matches)?;
                context.run(async |shared, out| run(&shared.access, &command, out).await).await
            })
        },
    }],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) -> anyhow::Result<()> {
    parts.serve(http::access::routes(), Arc::clone(&shared.access));
    // Twice the window on either side: a request stamped in the future is valid for that much longer.
    let keep = Duration::from_secs(SIGNATURE_WINDOW.unsigned_abs() * 4);
    parts.retentions.push(Retention { keep, prune: |store, at| store.prune_signatures(at) });
    Ok(())
}
