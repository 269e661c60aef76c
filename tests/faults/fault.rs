//! One fault under load: inject it, wait, end it, and check what always holds.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use reqwest::Method;
use serde_json::Value;
use streamward_test_support::process::eventually;
use tokio::time::{Instant, sleep};

use crate::lights::{Lights, Ready, failing_tasks};
use crate::load::{Figures, Load, lock};
use crate::report::Row;
use crate::world::{Caller, Decision, SOON, World};

/// How long the load runs before the fault, and after it.
const CALM: Duration = Duration::from_millis(1_500);
/// How soon everything must be right after the end of a fault. The promise is 5 s for a release build on a machine that
/// does nothing else; the report has what was measured.
const RIGHT_AGAIN: Duration = Duration::from_secs(20);
/// How long `/auth` may take on a busy machine. The promise is 1 s.
const AUTH_LIMIT: Duration = Duration::from_secs(5);

/// In so short a fault it is known who was live before: 15 s, less the pause since the last poll and the way back.
const KNOWN_FOR: Duration = Duration::from_secs(6);

/// What a fault is, and what is promised.
pub(crate) struct Facts {
    pub(crate) injected: String,
    pub(crate) promised: &'static str,
    pub(crate) lasts: Duration,
    pub(crate) ready: Ready,
    /// The task that `GET /tasks` must show as failing.
    pub(crate) failing_task: Option<&'static str>,
    /// Whether publishers with a known key are let in meanwhile.
    pub(crate) broadcasts_start: bool,
    /// Whether the live sessions end with the fault, and their encoders return.
    pub(crate) sessions_are_lost: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            injected: String::new(),
            promised: "nothing changes",
            lasts: Duration::from_secs(6),
            ready: Ready::Stays,
            failing_task: None,
            broadcasts_start: true,
            sessions_are_lost: false,
        }
    }
}

/// Something that goes wrong around the program, or with it.
#[async_trait(?Send)]
pub(crate) trait Fault {
    fn facts(&self) -> Facts;

    /// Why this machine cannot inject it.
    fn is_impossible(&self) -> Option<String> {
        None
    }

    /// Everything that runs.
    async fn world(&mut self) -> Result<World> {
        World::on_sqlite().await
    }

    async fn inject(&mut self, world: &mut World, load: &Load) -> Result<()>;

    async fn heal(&mut self, world: &mut World, load: &Load) -> Result<()>;
}

/// Runs the program through a fault.
pub(crate) async fn outlive(mut fault: Box<dyn Fault>) -> Result<Row> {
    let facts = fault.facts();
    let mut world = fault.world().await?;
    let outlived = run(&mut *fault, &facts, &mut world).await;
    let logs: Vec<String> = world.instances.iter().map(|instance| tail(&instance.log())).collect();
    outlived.with_context(|| logs.join("\n--- the other instance\n"))
}

async fn run(fault: &mut dyn Fault, facts: &Facts, world: &mut World) -> Result<Row> {
    let mut load = Load::start(world).await?;
    let caller = world.caller()?;
    until_right(&caller, &load, SOON).await.context("before the fault")?;
    let lights = Lights::watch(caller.clone());
    sleep(CALM).await;
    load.take_figures();
    lights.forget();

    let injected = Instant::now();
    fault.inject(world, &load).await.context("injecting the fault")?;
    sleep(facts.lasts.saturating_sub(injected.elapsed())).await;
    let (during, lasted) = (load.take_figures(), injected.elapsed());
    let healed = Instant::now();
    fault.heal(world, &load).await.context("ending the fault")?;
    if facts.sessions_are_lost {
        load.shared.put_anchors_on_air().await?;
    }
    let last = until_right(&caller, &load, RIGHT_AGAIN).await?;
    let right_again = RightAgain { after: healed.elapsed(), last };
    sleep(CALM).await;

    load.stop().await;
    let out = lights.check(facts.ready, injected, healed)?;
    if let Some(task) = facts.failing_task {
        let failing = lights.failing();
        ensure!(
            failing.iter().any(|name| name == task),
            "GET /tasks showed {failing:?} as failing, not {task}"
        );
    }
    let acknowledged = lock(&load.shared.ledger).acknowledged();
    check(&load, facts, &during).await?;
    // Without the database an instance knows who is live for 15 s, if it has polled the media server before.
    let second = lock(&load.shared.second_encoders).clone();
    let is_in_grace = world.instances.iter().any(|instance| instance.log().contains("(auth.grace)"));
    let may_forget = is_in_grace && (facts.lasts > KNOWN_FOR || facts.ready == Ready::MayBeLost);
    ensure!(second.is_empty() || may_forget, "a second encoder was let in on {second:?}");
    let seen = seen(&during, lasted, out, &right_again, acknowledged);
    Ok(Row { injected: facts.injected.clone(), promised: facts.promised.to_owned(), seen })
}

/// What holds after every fault.
async fn check(load: &Load, facts: &Facts, during: &Figures) -> Result<()> {
    let shared = &load.shared;
    let wrong = lock(&shared.wrong).clone();
    ensure!(wrong.is_empty(), "{} things must not have happened, such as: {}", wrong.len(), wrong[0]);
    let ended = shared.media.disconnected();
    if let Some((path, _)) = ended.iter().find(|(path, _)| !lock(&shared.ledger).may_end(path)) {
        bail!("the live stream of {path} was ended by mistake");
    }
    if facts.broadcasts_start {
        let (let_in, requests) = during.known;
        ensure!(let_in * 10 >= requests * 8, "{let_in} of {requests} known keys were let in meanwhile");
    }
    for anchor in load.anchors() {
        let stream = shared.caller.get(&format!("/streams/{}", anchor.stream)).await?;
        ensure!(stream["status"] == "active", "a live stream was ended by mistake: {stream}");
    }
    eventually("no stream is listed that is not live", SOON, async || {
        let list = shared.caller.get("/streams").await?;
        let paths = list["streams"].as_array().into_iter().flatten().filter_map(|one| one["path"].as_str());
        let ghost = paths.into_iter().find(|path| !shared.media.carries(path));
        ensure!(ghost.is_none(), "{ghost:?} is listed");
        Ok(Some(()))
    })
    .await?;
    let slowest = during.auth_times.iter().max().copied().unwrap_or_default();
    ensure!(slowest < AUTH_LIMIT, "/auth took {slowest:?}");
    let ledger = std::mem::take(&mut *lock(&shared.ledger));
    ledger.check(&shared.caller).await
}

/// When everything was right again, and what was wrong last.
struct RightAgain {
    after: Duration,
    last: Option<String>,
}

/// Waits until everything is right; returns what was wrong last.
async fn until_right(caller: &Caller, load: &Load, limit: Duration) -> Result<Option<String>> {
    let last = Mutex::new(None);
    eventually("everything is right", limit, async || {
        let checked = check_all(caller, load).await;
        if let Err(error) = &checked {
            *lock(&last) = Some(error.to_string());
        }
        checked.map(Some)
    })
    .await?;
    Ok(last.into_inner().unwrap_or_default())
}

/// Fails if anything is wrong.
async fn check_all(caller: &Caller, load: &Load) -> Result<()> {
    for instance in 0..caller.instances() {
        for light in ["/readyz", "/health"] {
            let status = caller.light(instance, light).await;
            ensure!(status == Some(200), "{light} of instance {instance}: {status:?}");
        }
        let failing = failing_tasks(caller, instance).await?;
        ensure!(failing.is_empty(), "tasks are failing on instance {instance}: {failing:?}");
    }
    // A key that the key cache cannot know yet is let in by the database only.
    let key = load.shared.create().await.context("no key could be created")?;
    for instance in 0..caller.instances() {
        let connection = "00000000-0000-4000-8000-999999999999";
        let (decision, _) = caller.auth_at(instance, &key.path, &key.secret, connection).await;
        ensure!(decision == Decision::Allowed, "a new key is {decision:?} at instance {instance}");
    }
    let (status, list) = caller.call(Method::GET, "/streams", None).await?;
    ensure!(status == 200, "GET /streams: {status}");
    for anchor in load.anchors() {
        let is_it = |stream: &&Value| stream["source_id"] == anchor.connection.as_str();
        let listed = list["streams"].as_array().into_iter().flatten().find(is_it);
        ensure!(listed.is_some(), "{}, which is live, is not listed", anchor.key.path);
    }
    let revoked = lock(&load.shared.ledger).revoked_for(Duration::from_secs(4));
    let remaining = revoked.iter().find(|key| load.shared.media.carries(&key.path));
    ensure!(remaining.is_none(), "the session of a revoked key is still live");
    Ok(())
}

fn seen(
    during: &Figures,
    lasted: Duration,
    out: Option<Duration>,
    right_again: &RightAgain,
    acknowledged: usize,
) -> String {
    let mut times = during.auth_times.clone();
    times.sort();
    let time =
        |share: usize| times.get(times.len().saturating_sub(1) * share / 100).map_or(0, Duration::as_millis);
    let ratio = |(done, all): (usize, usize)| format!("{done} of {all}");
    let last = right_again.last.as_ref().map_or(String::new(), |last| format!(" (last: {last})"));
    let lights = out.map_or("ready throughout".to_owned(), |after| {
        format!("not ready after {:.1} s", after.as_secs_f64())
    });
    format!(
        "In {:.1} s: known keys let in {}, unknown and revoked ones {}, second encoders {}; writes acknowledged {}, lists {}; `/auth` \
         median {} ms, slowest {} ms; {lights}. {acknowledged} acknowledged writes kept. Right again after {:.1} s{last}.",
        lasted.as_secs_f64(),
        ratio(during.known),
        ratio(during.strange),
        ratio(during.second),
        ratio(during.writes),
        ratio(during.lists),
        time(50),
        time(100),
        right_again.after.as_secs_f64(),
    )
}

/// The last lines of a log.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
}
