//! The program: from the command line to an exit code.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use clap_complete::Shell;

use super::backup::{backup, restore};
use super::bootstrap::{Bootstrap, absent_key};
use super::commands::{CommandContext, here_only};
use super::config::{DatabaseKind, Loaded, MasterKeySource, Shown, Sources, find_master_key};
use super::databases::{Databases, Purpose, Schema, prepare};
use super::doctor;
use super::exit::failed;
use super::mediamtx_config::mediamtx_config;
use super::secrets::{hook_secret, secrets};
use super::slices::{self, openapi_json};
use super::srs_config::srs_config;
use super::{service, up};
use crate::adapters::cli::{Cli, Command, Exit, Failure, Globals, Output, healthcheck, hook};
use crate::adapters::http::problems_json;
use crate::adapters::sql::{SqlStore, SqliteFile, compare_sqlite, inspect_sqlite, pending_migrations};
use crate::domain::finding::Severity;
use crate::domain::secret::Secret;

/// How long background work may take after everything else is done.
const LEFTOVERS: Duration = Duration::from_millis(100);

/// Runs the command line.
pub fn main() -> ExitCode {
    let matches = match slices::with_subcommands(Cli::command()).try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return of_arguments(&error),
    };
    // Fails only if one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let json = matches.get_flag("json");
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(error.into(), json),
    };
    let result = runtime.block_on(dispatch(&matches));
    runtime.shutdown_timeout(LEFTOVERS);
    result.unwrap_or_else(|error| failed(error, json))
}

/// Prints the help, or what is wrong with the arguments.
fn of_arguments(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        return failed(Failure::Usage(text.trim().to_owned()).into(), true);
    }
    let _ = error.print();
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

async fn dispatch(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let mut globals = Globals::from_arg_matches(matches)?;
    if has_own_url(matches) {
        globals.remote.url = None;
    }
    let mut sources = Sources::of_process(globals.config);
    if let Some(folder) = &globals.data_dir {
        sources.flags.push(("data_dir".to_owned(), folder.display().to_string()));
    }
    let variable = |name: &str| std::env::var(name).ok();
    let mut out = Output::stdout(globals.json);
    if let Some((name, matches)) = matches.subcommand()
        && slices::is_subcommand(name)
    {
        let remote = globals.remote.machine(variable)?;
        let out = &mut out;
        let context =
            CommandContext { sources: &sources, out, remote, name: name.to_owned(), router: slices::api };
        if let Some(running) = slices::run_subcommand(name, matches, context) {
            return running.await.map(|()| ExitCode::SUCCESS);
        }
    }
    let command = Cli::from_arg_matches(matches)?.command.unwrap_or(Command::Serve);
    if let (Some(name), Some(_)) = (command.of_this_machine(), globals.remote.address(variable)) {
        return Err(here_only(name).into());
    }
    match command {
        Command::Serve => Box::pin(service::run(sources.load()?, None)).await?,
        Command::Up(args) => Box::pin(service::run(up::load(sources, &args)?, Some(args))).await?,
        Command::MediamtxConfig(args) => mediamtx_config(sources.load()?, &args, &mut out).await?,
        Command::SrsConfig(args) => srs_config(sources.load()?, &args, &mut out).await?,
        Command::Hook(args) => hook::within_limit(Box::pin(run_hook(&sources, &args))).await?,
        Command::Doctor => return examine(&sources.load()?, &mut out).await,
        Command::Migrate => migrate(&sources.load()?, &mut out).await?,
        Command::Backup(args) => backup(&sources.load()?, &args, &mut out).await?,
        Command::Restore(args) => restore(&sources.load()?, &args, &mut out).await?,
        Command::Config { reveal: Some(key) } => reveal(sources.load()?, &key, &mut out).await?,
        Command::Config { reveal: None } => {
            let loaded = sources.load()?;
            let shown = Shown(&loaded);
            out.thing(&shown.to_json(), || shown.to_string())?;
        }
        Command::Openapi { problems } => {
            out.text(&if problems { problems_json() } else { openapi_json() })?;
        }
        Command::Completions { shell } => completions(shell, &mut out)?,
        Command::Man { dir } => man(dir.as_deref(), &mut out)?,
        Command::Healthcheck => {
            out.text(&healthcheck::run(&sources.load()?.config.local_url()).await?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether `--url` of this command is the address of something else than another machine.
fn has_own_url(matches: &ArgMatches) -> bool {
    let Some((name, inner)) = matches.subcommand() else { return false };
    match name {
        "hook" | "mediamtx-config" | "srs-config" => true,
        "destination" => matches!(inner.subcommand_name(), Some("add" | "update")),
        _ => false,
    }
}

fn completions(shell: Shell, out: &mut Output) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut slices::with_subcommands(Cli::command()), "streamward", &mut text);
    out.text(&String::from_utf8(text)?)
}

/// Prints the manual page, or writes one for each command to a directory.
fn man(dir: Option<&Path>, out: &mut Output) -> anyhow::Result<()> {
    let command = slices::with_subcommands(Cli::command());
    let Some(dir) = dir else {
        let mut text = Vec::new();
        clap_mangen::Man::new(command).render(&mut text)?;
        return out.text(&String::from_utf8(text)?);
    };
    let shown = dir.display();
    std::fs::create_dir_all(dir).with_context(|| format!("{shown} cannot be created"))?;
    clap_mangen::generate_to(command, dir)
        .with_context(|| format!("the pages cannot be written to {shown}"))?;
    out.text(&format!("Wrote the manual pages to {shown}."))
}

/// Exits with 7 if there is a failure.
async fn examine(loaded: &Loaded, out: &mut Output) -> anyhow::Result<ExitCode> {
    let findings = Box::pin(doctor::examine(loaded)).await;
    let failed = findings.iter().any(|finding| finding.severity == Severity::Failure);
    out.thing(&serde_json::json!({ "findings": findings }), || {
        findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })?;
    Ok(if failed { ExitCode::from(Exit::Unhealthy as u8) } else { ExitCode::SUCCESS })
}

async fn migrate(loaded: &Loaded, out: &mut Output) -> anyhow::Result<()> {
    let (is_new, key) = match loaded.config.database_kind() {
        DatabaseKind::Sqlite(file) => {
            let is_new = inspect_sqlite(&file).await? == SqliteFile::Nothing;
            (is_new, Some(find_master_key(&loaded.config, &loaded.env)?))
        }
        // All instances need the same key, so no file is made here.
        DatabaseKind::Postgres(_) => (false, None),
    };
    let databases = Databases::open(&loaded.config, Purpose::Command, Schema::Migrate).await?;
    let db = &databases.api;
    let before = if is_new { compare_sqlite(&[]) } else { pending_migrations(db).await? };
    prepare(db, Purpose::Command, Schema::Migrate).await?;
    if let (true, Some(MasterKeySource::Absent(file))) = (is_new, key) {
        absent_key(loaded, &SqlStore::new(db.clone()), &file, Schema::Migrate).await?;
    }
    databases.close().await;
    let applied = before.missing;
    out.thing(&serde_json::json!({ "applied": applied }), || {
        if applied.is_empty() {
            format!("The {} database is up to date.", db.engine())
        } else {
            format!("Applied {} to the {} database.", applied.join(", "), db.engine())
        }
    })
}

async fn reveal(loaded: Loaded, key: &str, out: &mut Output) -> anyhow::Result<()> {
    let base = Bootstrap::open(loaded, Purpose::Command, Schema::Expect).await?;
    let secret = match key {
        "hooks.secret" => Some(hook_secret(&base).await?),
        _ => secrets(&base).await?.access.hmac_secret,
    };
    let secret = secret.with_context(|| format!("{key} is not used, because api.hmac_keys is set"))?;
    out.thing(&serde_json::json!({ "key": key, "value": secret.expose() }), || secret.expose().to_owned())
}

/// Address and secret come from the command line, else from where the service finds them.
async fn run_hook(sources: &Sources, args: &hook::HookArgs) -> anyhow::Result<()> {
    let read = |file: &std::path::PathBuf| {
        let text = std::fs::read_to_string(file);
        let text = text.with_context(|| format!("the hook secret cannot be read from {}", file.display()))?;
        anyhow::Ok(Secret::new(text.trim()))
    };
    let given = args.secret_file.as_ref().map(read).transpose()?;
    let (url, secret) = match (&args.url, given) {
        (Some(url), Some(secret)) => (url.clone(), secret),
        (url, given) => {
            let loaded = sources.load()?;
            let url = url.clone().unwrap_or_else(|| loaded.config.hooks_url());
            let secret = match given {
                Some(secret) => secret,
                None => found_hook_secret(loaded).await?,
            };
            (url, secret)
        }
    };
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    hook::run(args, url.trim_end_matches('/'), &secret, variable).await
}

async fn found_hook_secret(loaded: Loaded) -> anyhow::Result<Secret> {
    if let Some(secret) = loaded.config.hooks.first_secret() {
        return Ok(secret);
    }
    // A hook runs in the folder where MediaMTX was started, which may be another one.
    let not_found =
        "the hook secret is not found; give --url and --secret-file, as `streamward mediamtx-config` does";
    let base = Bootstrap::open(loaded, Purpose::Command, Schema::Expect).await.context(not_found)?;
    Ok(hook_secret(&base).await?)
}
