//! Broadcasters: who may publish.

use std::sync::Arc;

use clap::{FromArgMatches as _, Subcommand as _};

use super::{Commands, Parts, Shared, Slice};
use crate::adapters::cli::broadcaster::{BroadcasterCommand, run};
use crate::adapters::http;

pub(super) const SLICE: Slice = Slice {
    document: || http::broadcaster::routes().document(),
    commands: &[Commands {
        name: "broadcaster",
        define: |command| {
            BroadcasterCommand::augment_subcommands(command.about("Manage broadcasters, who may publish"))
        },
        run: |matches, context| {
            Box::pin(async move {
                let command = BroadcasterCommand::from_arg_matches(matches)?;
                context.run(async |shared, out| run(&shared.broadcasters, &command, out).await).await
            })
        },
    }],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) -> anyhow::Result<()> {
    parts.serve(http::broadcaster::routes(), Arc::clone(&shared.broadcasters));
    Ok(())
}
