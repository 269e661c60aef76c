//! OBS: the same checks against the fake one of the tests and against a real one, without a screen.
//!
//! The real one needs obs-studio, Xvfb, nginx with its RTMP module, ffmpeg, and a network namespace, because OBS listens
//! on all addresses. Without them its checks are reported as ignored, with the reason.

#![expect(clippy::print_stderr, reason = "what the tests run against is part of their report")]

mod behaviour;
mod driver;
mod far_end;
mod faults;
mod on_air;
mod program;
mod real;
mod supervised;
mod world;

use std::fmt::Display;
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use streamward_test_support::obs::{FakeObs, FakeOptions, Naming};
use tempfile::TempDir;

use crate::on_air::Files;
use crate::real::RealObs;
use crate::supervised::{Host, Options, Supervised};
use crate::world::{Obs, World};

/// How long something may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// How long a check may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Prints a measured time.
pub(crate) fn report(what: impl Display, took: Duration) {
    eprintln!("studio: {what}: {} ms", took.as_millis());
}

type Check = for<'a> fn(&'a mut World) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// Every check with its name.
macro_rules! checks {
    ($($name:ident),+ $(,)?) => {
        vec![$((stringify!($name), (|world| Box::pin(behaviour::$name(world))) as Check)),+]
    };
}

fn checks() -> Vec<(&'static str, Check)> {
    checks![
        scene_is_made_once_and_never_changed,
        switch_is_confirmed_and_announced_once,
        media_play_in_the_program_to_their_end,
        media_are_paused_and_continue_at_a_place,
        missing_file_ends_at_once_and_a_good_one_recovers,
        missing_file_of_a_scene_that_becomes_the_program_never_has_a_length,
        media_end_when_their_scene_is_left,
        media_that_do_not_wait_for_the_program_play_outside_it,
        media_end_when_their_item_is_hidden_and_begin_when_it_is_shown,
        stream_starts_and_stops_and_both_may_be_so_already,
        connection_that_the_platform_ends_is_opened_again_by_obs,
        absent_platform_stops_the_start_and_obs_does_not_try_again,
        brightness_of_a_colour_is_measured_outside_the_program_too,
        volume_is_set_and_muting_is_announced,
        levels_are_those_of_the_program,
        item_that_a_person_shows_or_hides_is_announced,
        video_and_encoding_are_set_while_nothing_runs,
        many_requests_at_once_are_all_answered,
        wrong_password_is_said,
        frozen_obs_is_noticed_and_connected_when_it_continues,
        killed_obs_is_noticed_and_connected_when_it_is_back,
        obs_that_a_person_quits_says_so_and_keeps_its_scenes,
    ]
}

type Scenario = for<'a> fn(&'a mut Supervised, &'a Files) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// Every scenario with its name and what is special about its studio.
macro_rules! scenarios {
    ($($module:ident $name:ident: $options:expr),+ $(,)?) => {
        vec![$((
            stringify!($name),
            (|studio, files| Box::pin($module::$name(studio, files))) as Scenario,
            $options as fn(&Files) -> Options,
        )),+]
    };
}

/// The name of a scenario, what it does, and what is special about its studio.
type Named = (&'static str, Scenario, fn(&Files) -> Options);

fn scenarios() -> Vec<Named> {
    scenarios![
        on_air fresh_obs_becomes_a_studio_on_air: on_air::options,
        on_air grown_obs_is_not_changed: on_air::options,
        on_air items_follow_each_other: on_air::options,
        faults missing_content_fails_over: on_air::options,
        faults corrupt_content_fails_over: on_air::options,
        faults black_content_fails_over: on_air::options,
        on_air content_that_cannot_be_played_is_never_scheduled: on_air::options,
        on_air stream_that_a_person_stops_is_started_again: on_air::options,
        on_air owner_takes_over_and_content_continues: on_air::with_owner,
        faults killed_obs_is_on_air_again: on_air::options,
        faults frozen_obs_is_restarted: on_air::options,
        faults lost_platform_is_downtime_and_obs_stays_on: on_air::options,
        faults running_stream_is_adopted: on_air::options,
        on_air hold_keeps_the_scene: on_air::options,
        on_air failed_check_is_said_and_nothing_starts: |_| Options::default(),
        on_air watched_obs_is_left_alone: |_| Options { has_platform: false, ..Options::default() },
        on_air scene_can_be_content: on_air::options,
        faults drills_report_their_times: on_air::options,
        on_air wrong_password_is_said: |files| Options { password: Some(on_air::WRONG), ..on_air::options(files) },
    ]
}

/// The scenarios with a fake OBS, and with a real one.
fn on_air_trials(dir: &Arc<TempDir>, missing: Option<&String>) -> (Vec<Trial>, Vec<Trial>) {
    let (mut fake, mut real) = (Vec::new(), Vec::new());
    for (name, scenario, options) in scenarios() {
        let on = Arc::clone(dir);
        fake.push(Trial::test(format!("on_air::fake::{name}"), move || {
            supervised(false, on.path(), options, scenario)
        }));
    }
    for (name, scenario, options) in scenarios() {
        let (on, missing) = (Arc::clone(dir), missing.cloned());
        real.push(Trial::ignorable_test(format!("on_air::real::{name}"), move || match missing {
            Some(missing) => Ok(Completion::ignored_with(missing)),
            None => supervised(true, on.path(), options, scenario).map(|()| Completion::Completed),
        }));
    }
    (fake, real)
}

/// One real OBS at a time: it needs a processor, and the checks of our client share it.
static REAL: Mutex<()> = Mutex::new(());

/// Runs a scenario with a studio of its own.
fn supervised(
    is_real: bool,
    dir: &Path,
    options: fn(&Files) -> Options,
    scenario: Scenario,
) -> Result<(), Failed> {
    let _alone = is_real.then(|| REAL.lock().unwrap_or_else(PoisonError::into_inner));
    run(async {
        let files = Files::new(dir, is_real)?;
        let host = if is_real { Host::real().await? } else { Host::fake().await };
        if let Host::Fake(fake) = &host {
            files.announce(fake);
        }
        let mut studio = Supervised::new(host, options(&files))?;
        let result = scenario(&mut studio, &files).await;
        let ended = studio.end().await;
        result.and(ended)
    })
    .map_err(|error| failed(&error))
}

/// The real OBS between two checks: one for all of them, since its start takes longer than a check.
type Shared = Arc<Mutex<Option<RealObs>>>;

fn main() -> ExitCode {
    // As in the `main` of the program; HTTP clients need it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut arguments = Arguments::from_args();
    // Those with a fake OBS wait more than they compute.
    arguments.test_threads = Some(6);
    if !arguments.list
        && let Some(code) = real::enter_namespace()
    {
        return code;
    }
    let missing = if arguments.list { None } else { real::is_missing() };
    if let Some(missing) = &missing {
        eprintln!("studio: the checks of the real OBS are ignored: {missing}");
    }
    let dir = match tempfile::tempdir() {
        Ok(dir) => Arc::new(dir),
        Err(error) => {
            eprintln!("studio: no folder for files: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (mut trials, mut of_real) = (program::trials(), Vec::new());
    for (kind, naming) in [("fake", Naming::Names), ("fake_of_a_later_version", Naming::Uuids)] {
        for (name, check) in checks() {
            let dir = Arc::clone(&dir);
            trials.push(Trial::test(format!("{kind}::{name}"), move || on_fake(naming, &dir, check)));
        }
    }
    let shared = Shared::default();
    for (name, check) in checks() {
        let (dir, shared, missing) = (Arc::clone(&dir), Arc::clone(&shared), missing.clone());
        of_real.push(Trial::ignorable_test(format!("real::{name}"), move || match missing {
            Some(missing) => Ok(Completion::ignored_with(missing)),
            None => on_real(&shared, &dir, check).map(|()| Completion::Completed),
        }));
    }
    let (fake, real) = on_air_trials(&dir, missing.as_ref());
    trials.extend(fake);
    trials.extend(far_end::trials());
    // Last: they wait for each other.
    trials.extend(of_real.into_iter().chain(real));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A failed check, with everything that led to it.
fn failed(error: &anyhow::Error) -> Failed {
    Failed::from(format!("{error:#}"))
}

fn on_fake(naming: Naming, dir: &TempDir, check: Check) -> Result<(), Failed> {
    run(async {
        let obs = Obs::Fake(FakeObs::start(FakeOptions { naming, ..FakeOptions::default() }).await);
        checked(obs, dir.path(), check).await.0
    })
    .map_err(|error| failed(&error))
}

fn on_real(shared: &Shared, dir: &TempDir, check: Check) -> Result<(), Failed> {
    let _alone = REAL.lock().unwrap_or_else(PoisonError::into_inner);
    let result = run(async {
        let kept = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        let real = match kept {
            Some(real) => real,
            None => {
                let clip = dir.path().join("clip.mp4");
                real::make_clip(&clip, "testsrc2", "sine=frequency=440", 2)?;
                RealObs::start().await?
            }
        };
        let (result, obs) = checked(Obs::Real(real), dir.path(), check).await;
        // After a failure the next check gets a new one.
        if let (Ok(()), Some(Obs::Real(real))) = (&result, obs) {
            *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(real);
        }
        result
    });
    result.map_err(|error| failed(&error))
}

async fn checked(obs: Obs, dir: &Path, check: Check) -> (Result<()>, Option<Obs>) {
    let mut world = match World::new(obs, dir).await {
        Ok(world) => world,
        Err(error) => return (Err(error), None),
    };
    let result = check(&mut world).await.with_context(|| format!("{:?}\n{}", world.version, world.log()));
    (result, Some(world.leave().await))
}

pub(crate) fn run<T>(check: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(LIMIT, check).await.unwrap_or_else(|_| bail!("has not ended after {LIMIT:?}"))
    })
}
