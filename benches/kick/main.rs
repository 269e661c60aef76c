//! The cost of watching Kick: latency from a frame of the feed to a readable row, status changes a second, and memory for
//! ten thousand streamers.
//!
//! The release build receives a scripted feed; a reader on another connection measures the times. The reference
//! (`bare.rs`) takes turns with it in the same run. `cargo bench --bench kick` prints the tables of
//! `benches/README.md`; `-- quick` takes fewer people and rounds.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench without its setup measures nothing"
)]

mod bare;
mod database;
mod program;
mod status_updates;

use std::time::Duration;

use bare::Bare;
use database::{Database, Who};
use program::{Memory, Program};
use status_updates::{Outcome, Wave, run};
use streamward_test_support::Cluster;
use tokio::time::sleep;

/// How much is measured.
struct Plan {
    /// Streamers for the latencies.
    few: u64,
    /// Streamers for memory and throughput.
    many: u64,
    /// Measured rounds, after one to warm up. Odd, so that everybody is offline at the end.
    rounds: u64,
}

/// The kind of database.
struct Place {
    store: &'static str,
    cluster: Option<Cluster>,
    files: tempfile::TempDir,
}

impl Place {
    /// A program with its own database.
    async fn program(&self, name: &str) -> Program {
        let Some(cluster) = &self.cluster else { return Program::new(None).await };
        let admin = Database::postgres(&cluster.url("postgres")).await;
        for name in [name.to_owned(), format!("{name}_bare")] {
            admin.run(&format!("CREATE DATABASE {name}")).await;
        }
        Program::new(Some(cluster.url(name))).await
    }

    async fn bare(&self, name: &str, people: u64) -> Bare {
        let database = match &self.cluster {
            Some(cluster) => Database::postgres(&cluster.url(&format!("{name}_bare"))).await,
            None => Database::sqlite(&self.files.path().join(name)).await,
        };
        Bare::start(database, usize::try_from(people).expect("a small number")).await
    }
}

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Cargo passes flags too.
    let is_quick = std::env::args().any(|argument| argument == "quick" || argument == "--test");
    let plan = if is_quick {
        Plan { few: 100, many: 1_000, rounds: 1 }
    } else {
        Plan { few: 1_000, many: 10_000, rounds: 5 }
    };
    let (mut speed, mut memory) = (Vec::new(), Vec::new());
    for store in ["SQLite", "PostgreSQL"] {
        let cluster = (store == "PostgreSQL")
            .then(|| Cluster::start(true).expect("PostgreSQL's programs: .ci/setup installs them"));
        let place = Place { store, cluster, files: tempfile::tempdir().expect("a folder") };
        speed.extend(few(&plan, &place).await);
        let (row, more) = many(&plan, &place).await;
        speed.push(row);
        memory.push(more);
    }
    println!("| store | what | p50 ms | p99 ms | max ms | changes a second | bare p99 ms | p99 to bare |");
    println!("|---|---|---|---|---|---|---|---|");
    println!("{}\n", speed.join("\n"));
    println!(
        "| store | idle MiB | watching MiB | after all changes MiB | peak MiB | more than idle | subscribed after |"
    );
    println!("|---|---|---|---|---|---|---|");
    println!("{}", memory.join("\n"));
}

/// The latencies.
async fn few(plan: &Plan, place: &Place) -> [String; 2] {
    let mut program = place.program("few").await;
    program.start(false, "60s").await;
    let database = program.database().await;
    watched(&mut program, &database, plan.few, "60s").await;
    let bare = place.bare("few", plan.few).await;
    let second = Duration::from_secs(1);
    let spread = format!("{} go live within a second", plan.few);
    let at_once = format!("{} go live at once", plan.few);
    let mut pair = Pair { program: &program, database: &database, bare: &bare, livestream: 0 };
    let spread = pair.rounds(plan.rounds, plan.few, second).await.row(place.store, &spread);
    [spread, pair.rounds(plan.rounds, plan.few, Duration::ZERO).await.row(place.store, &at_once)]
}

/// Memory and throughput.
async fn many(plan: &Plan, place: &Place) -> (String, String) {
    let mut program = place.program("many").await;
    program.start(false, "10s").await;
    let database = program.database().await;
    sleep(Duration::from_secs(5)).await;
    let idle = program.memory();
    let took = watched(&mut program, &database, plan.many, "10s").await;
    program.until_polled(&database, usize::try_from(plan.many).expect("a small number"), 3).await;
    sleep(Duration::from_secs(2)).await;
    let watching = program.memory();
    let bare = place.bare("many", plan.many).await;
    let name = format!("{} go live at once", plan.many);
    let mut pair = Pair { program: &program, database: &database, bare: &bare, livestream: 0 };
    let row = pair.rounds(plan.rounds, plan.many, Duration::ZERO).await.row(place.store, &name);
    sleep(Duration::from_secs(2)).await;
    (row, memory_row(place.store, idle, watching, program.memory(), took))
}

fn memory_row(store: &str, idle: Memory, watching: Memory, after: Memory, took: Duration) -> String {
    format!(
        "| {store} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1}, at the peak {:.1} | {:.1} s |",
        idle.now,
        watching.now,
        after.now,
        after.peak,
        watching.now.max(after.now) - idle.now,
        after.peak - idle.now,
        took.as_secs_f64()
    )
}

/// Starts the program with streamers to watch; returns the time from start until all are subscribed.
async fn watched(program: &mut Program, database: &Database, people: u64, sweep: &str) -> Duration {
    program.stop();
    program.people(people);
    database.add_people(i64::try_from(people).expect("a small number")).await;
    let count = usize::try_from(people).expect("a small number");
    let started = program.start(true, sweep).await;
    program.until_subscribed(count).await;
    let took = started.elapsed();
    program.until_polled(database, 0, 0).await;
    took
}

/// The program and the reference.
struct Pair<'a> {
    program: &'a Program,
    database: &'a Database,
    bare: &'a Bare,
    livestream: u64,
}

/// The results of both.
#[derive(Default)]
struct Both {
    program: Outcome,
    bare: Outcome,
    ratios: Vec<f64>,
}

impl Pair<'_> {
    /// Everybody goes live, which is measured, then offline, which is not. The first round warms up.
    async fn rounds(&mut self, rounds: u64, people: u64, over: Duration) -> Both {
        let mut both = Both::default();
        for round in 0..=rounds {
            self.livestream += 1_000_000;
            let (mine, bare) =
                self.wave(round % 2 == 0, Wave { people, live: true, base: self.livestream, over }).await;
            let quick = Wave { people, live: false, base: self.livestream, over: Duration::ZERO };
            self.wave(round % 2 == 0, quick).await;
            if round > 0 {
                both.ratios.push(mine.percentile(99) / bare.percentile(99));
                both.program.add(mine);
                both.bare.add(bare);
            }
        }
        both
    }

    /// The two alternate in going first.
    async fn wave(&self, is_first: bool, wave: Wave) -> (Outcome, Outcome) {
        let (mut mine, mut bare) = (Outcome::default(), Outcome::default());
        for who in [is_first, !is_first] {
            if who {
                mine = run(wave, &self.program.feed, self.database, Who::Streamward).await;
                self.program.all_are(wave.people, wave.live.then_some(wave.base));
            } else {
                bare = run(wave, &self.bare.feed, &self.bare.database, Who::Bare).await;
            }
        }
        (mine, bare)
    }
}

impl Both {
    fn row(mut self, store: &str, name: &str) -> String {
        self.ratios.sort_by(f64::total_cmp);
        let (program, bare, ratios) = (&self.program, &self.bare, &self.ratios);
        format!(
            "| {store} | {name} | {:.1} | {:.1} | {:.1} | {:.0} | {:.1} | {:.2} ({:.2}–{:.2}) |",
            program.percentile(50),
            program.percentile(99),
            program.percentile(100),
            program.per_second(),
            bare.percentile(99),
            ratios[ratios.len() / 2],
            ratios[0],
            ratios[ratios.len() - 1]
        )
    }
}
