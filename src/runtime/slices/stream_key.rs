//! Stream keys: the secrets broadcasters publish with.

use std::sync::Arc;

use clap::{FromArgMatches as _, Subcommand as _};

use super::{Commands, Parts, Shared, Slice};
use crate::adapters::cli::stream_key::{KeyCommand, run};
use crate::adapters::http;

pub(super) const SLICE: Slice = Slice {
    document: || http::stream_key::routes().document(),
    commands: &[Commands {
        name: "key",
        define: |command| {
            KeyCommand::augment_subcommands(command.about("Manage stream keys, the secrets for publishing"))
        },
        run: |matches, context| {
            Box::pin(async move {
                let command = KeyCommand::from_arg_matches(matches)?;
                let run = async |shared: &Shared, out: &mut _| {
                    run(&shared.stream_keys, &shared.broadcasters, &command, out).await
                };
                context.run(run).await
            })
        },
    }],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) -> anyhow::Result<()> {
    parts.serve(http::stream_key::routes(), Arc::clone(&shared.stream_keys));
    Ok(())
}
