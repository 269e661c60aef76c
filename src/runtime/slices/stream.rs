//! Streams: who is live, who was, and what changes.

use std::sync::Arc;

use clap::{FromArgMatches as _, Subcommand as _};

use super::{Commands, Parts, Shared, Slice};
use crate::adapters::cli::stream::{StreamCommand, run};
use crate::adapters::http;

pub(super) const SLICE: Slice = Slice {
    document: || http::stream::routes().document(),
    commands: &[Commands {
        name: "stream",
        define: |command| StreamCommand::augment_subcommands(command.about("List and end streams")),
        run: |matches, context| {
            Box::pin(async move {
                let command = StreamCommand::from_arg_matches(matches)?;
                context.run(async |shared, out| run(&shared.streams, &command, out).await).await
            })
        },
    }],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) -> anyhow::Result<()> {
    let state =
        http::stream::Streaming { streams: Arc::clone(&shared.streams), events: parts.events.clone() };
    parts.serve(http::stream::routes(), state);
    Ok(())
}
