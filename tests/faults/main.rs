//! What Streamward does while something around it is broken: the real program under load, one fault after the other.
//!
//! `FAULTS=all` runs the faults that take long too. `FAULTS_REPORT=<file>` writes the table of `docs/faults.md`. What a
//! machine cannot inject is reported as ignored, with the reason.

#![expect(clippy::expect_used, clippy::print_stderr, reason = "in a test a broken expectation ends the test")]

mod clock;
mod connections;
#[path = "../api/control_api.rs"]
#[expect(dead_code, reason = "tests/api reads what it received")]
mod control_api;
mod fault;
mod instance;
mod ledger;
mod lights;
mod load;
mod media_server;
mod postgresql;
mod report;
mod sqlite;
mod stand_in;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use futures_util::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::time::timeout;

use fault::{Fault, outlive};
use load::HookMode;
use report::Row;
use stand_in::Mode;

/// How many faults are injected at once by default: each has a program, a database and load.
const AT_ONCE: usize = 2;
/// How long a fault may take.
const LIMIT: Duration = Duration::from_secs(240);

type Scenario = fn() -> LocalBoxFuture<'static, Result<Outcome>>;

enum Outcome {
    Outlived(Row),
    Impossible(String),
}

async fn inject(fault: Box<dyn Fault>) -> Result<Outcome> {
    match fault.is_impossible() {
        Some(why) => Ok(Outcome::Impossible(why)),
        None => outlive(fault).await.map(Outcome::Outlived),
    }
}

/// A fault with the name of its test.
macro_rules! faults {
    ($($name:literal => $fault:expr),+ $(,)?) => {
        vec![$(($name, (|| Box::pin(inject(Box::new($fault)))) as Scenario)),+]
    };
}

/// The faults that every run injects.
fn short() -> Vec<(&'static str, Scenario)> {
    faults![
        "postgresql::stopped" => postgresql::Stopped { lasts: Duration::from_secs(6) },
        "postgresql::frozen" => postgresql::Frozen,
        "postgresql::table_locked" => postgresql::Blocked::by(postgresql::Locked::Table),
        "sqlite::write_lock_held" => sqlite::WriteLockHeld::default(),
        "media_server::stopped" => media_server::Stopped,
        "media_server::half_pages" => media_server::Answers(Mode::HalfPages),
        "media_server::restarted_empty" => media_server::RestartedEmpty,
        "hooks::doubled_reordered_forged" => media_server::Hooks(HookMode::Wrong),
        "instance::killed" => instance::Killed { times: 3, instances: 1 },
        "instance::stopped_under_load" => instance::Stopped,
        "connections::two_thousand" => connections::Silent::at_most(2_000),
    ]
}

/// The faults that `FAULTS=all` injects too.
fn long() -> Vec<(&'static str, Scenario)> {
    let mut faults = faults![
        "postgresql::stopped_for_30_s" => postgresql::Stopped { lasts: Duration::from_secs(30) },
        "postgresql::restarted" => postgresql::Restarted,
        "postgresql::failed_over" => postgresql::FailedOver::default(),
        "postgresql::without_connections" => postgresql::WithoutConnections::default(),
        "postgresql::statement_hangs" => postgresql::Blocked::by(postgresql::Locked::Row),
        "sqlite::read_only" => sqlite::ReadOnly::default(),
        "media_server::frozen" => media_server::Answers(Mode::Frozen),
        "media_server::garbage" => media_server::Answers(Mode::Garbage),
        "hooks::lost" => media_server::Hooks(HookMode::Lost),
        "instance::killed_often" => instance::Killed { times: 15, instances: 1 },
        "instance::killed_beside_another" => instance::Killed { times: 10, instances: 2 },
        "clock::apart" => clock::Apart,
        "clock::stepped" => clock::Stepped::default(),
        "connections::ten_thousand" => connections::Silent::at_most(10_000),
    ];
    let migrating: Scenario =
        || Box::pin(async { instance::killed_while_migrating().await.map(Outcome::Outlived) });
    faults.push(("instance::killed_while_migrating", migrating));
    faults
}

fn main() -> ExitCode {
    // As in the `main` of the program; HTTP clients need it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let is_all = std::env::var("FAULTS").is_ok_and(|faults| faults == "all");
    let faults =
        short().into_iter().map(|fault| (fault, true)).chain(long().into_iter().map(|fault| (fault, is_all)));
    let trials = faults.enumerate().map(|(place, ((name, scenario), wanted))| {
        Trial::ignorable_test(name, move || {
            if !wanted {
                return Ok(Completion::ignored_with("it takes long: set FAULTS=all"));
            }
            match run(scenario()).map_err(|error| Failed::from(format!("{error:#}")))? {
                Outcome::Impossible(why) => {
                    eprintln!("faults: {name} is ignored: {why}");
                    Ok(Completion::ignored_with(why))
                }
                Outcome::Outlived(row) => {
                    eprintln!("faults: {name}: {}", row.seen);
                    report::add(place, name, row);
                    Ok(Completion::Completed)
                }
            }
        })
    });
    let trials = trials.collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Err(error) = report::write() {
        eprintln!("faults: the report cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

fn run(scenario: LocalBoxFuture<'static, Result<Outcome>>) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        timeout(LIMIT, scenario).await.unwrap_or_else(|_| bail!("has not ended after {LIMIT:?}"))
    });
    runtime.shutdown_background();
    outcome
}
