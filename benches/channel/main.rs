//! What channels cost: processor and memory for 1, 10 and 50 channels with three destinations each at 4 Mbit/s, the
//! latency of `/auth` beside them, and the holes at a destination when the source changes.
//!
//! The release build carries real H.264 between stand-ins for media server and platforms (`stand_in.rs`). The reference
//! (`bare.rs`) copies the same bytes to as many connections in the same run. `cargo bench --bench channel` prints the
//! tables of `benches/README.md`; `-- quick` takes fewer channels and less time, `-- holes` prints the second table only.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench without its setup measures nothing"
)]

mod bare;
#[path = "../http/load.rs"]
#[expect(dead_code, reason = "only single requests are used here")]
mod load;
mod media;
mod program;
mod stand_in;

use std::fs;
use std::time::Duration;

use bare::Bare;
use media::{BITS_A_SECOND, Media};
use program::{DESTINATIONS, Program};
use stand_in::{Arrival, Encoders, StandIn};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// How much is measured.
struct Plan {
    channels: &'static [usize],
    /// How long processor and latencies are measured.
    length: Duration,
    /// How often each case of a hole is measured.
    rounds: usize,
}

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((bare::ARGUMENT, rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        return bare::copy(rest).await;
    }
    // Cargo passes flags too.
    let is_quick = arguments.iter().any(|argument| argument == "quick" || argument == "--test");
    let plan = if is_quick {
        Plan { channels: &[1, 5], length: Duration::from_secs(3), rounds: 1 }
    } else {
        Plan { channels: &[1, 10, 50], length: Duration::from_secs(20), rounds: 5 }
    };
    let stand_in = StandIn::start(Media::make()).await;
    if !arguments.iter().any(|argument| argument == "holes") {
        loads(&plan, &stand_in).await;
    }
    holes(&plan, &stand_in).await;
}

/// What channels cost.
async fn loads(plan: &Plan, stand_in: &StandIn) {
    let mut program = Program::start(stand_in).await;
    println!(
        "| channels | Mbit/s out | processor, of one core | bare copy | ratio | memory MiB | per channel | \
         `/auth` p50, p99 ms | beside the bare copy | beside the channels | p99 to that of no channels |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let empty = memory(program.process());
    for count in plan.channels {
        println!("{}", load_row(plan, *count, empty, &mut program, stand_in).await);
    }
}

/// What a destination sees when the source changes.
async fn holes(plan: &Plan, stand_in: &StandIn) {
    println!(
        "\n| what happens | longest hole between frames, ms | of the timeline, ms | connections |\n|---|---|---|---|"
    );
    let mut program = Program::start(stand_in).await;
    program.channels(1, stand_in).await;
    for case in ["nothing", "operator's cut", "encoder dies", "encoder freezes"] {
        println!("{}", hole_row(plan.rounds, case, &program, stand_in).await);
    }
}

/// Without channels, beside the reference, and with channels.
async fn load_row(
    plan: &Plan,
    count: usize,
    empty: f64,
    program: &mut Program,
    stand_in: &StandIn,
) -> String {
    let calm = Program::start(stand_in).await;
    let alone = auth(&calm, plan.length).await;
    let bare = Bare::start(stand_in.source, stand_in.sink, count, DESTINATIONS + 1);
    sleep(Duration::from_secs(2)).await;
    let bare_cpu = processor(bare.process(), plan.length).await;
    let beside_bare = auth(&calm, plan.length).await;
    drop((bare, calm));
    program.channels(count, stand_in).await;
    sleep(Duration::from_secs(5)).await;
    let cpu = processor(program.process(), plan.length).await;
    let beside = auth(program, plan.length).await;
    let memory = memory(program.process());
    let out = count as u64 * (DESTINATIONS as u64 + 1) * BITS_A_SECOND / 1_000_000;
    format!(
        "| {count} | {out} | {:.1} % | {:.1} % | {:.2} | {memory:.0} | {:.1} | {:.2}, {:.2} | {:.2}, {:.2} | {:.2}, {:.2} | {:.2} |",
        cpu * 100.0,
        bare_cpu * 100.0,
        cpu / bare_cpu,
        (memory - empty) / count as f64,
        alone.0,
        alone.1,
        beside_bare.0,
        beside_bare.1,
        beside.0,
        beside.1,
        beside.1 / alone.1
    )
}

/// p50 and p99 of `/auth` in milliseconds, at a hundred requests a second, each on its own connection.
async fn auth(program: &Program, length: Duration) -> (f64, f64) {
    const APART: Duration = Duration::from_millis(10);
    let (request, to, begun) = (program.auth_request(), program.address, Instant::now());
    let mut requests = JoinSet::new();
    let mut due = begun;
    while due < begun + length {
        sleep_until(due).await;
        let request = request.clone();
        requests.spawn(async move {
            let sent = Instant::now();
            let answer = load::fetch(to, &request).await.expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
            sent.elapsed()
        });
        due += APART;
    }
    let mut latencies = requests.join_all().await;
    latencies.sort_unstable();
    let of = |hundred: usize| latencies[latencies.len() * hundred / 100].as_secs_f64() * 1e3;
    (of(50), of(99))
}

/// How much of one core a process uses.
async fn processor(process: u32, length: Duration) -> f64 {
    // The kernel's unit, 100 a second on Linux.
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process is there");
        let (_, fields) = stat.rsplit_once(") ").expect("its name");
        let fields: Vec<u64> =
            fields.split(' ').skip(11).take(2).map(|text| text.parse().expect("ticks")).collect();
        fields.iter().sum::<u64>()
    };
    let (before, begun) = (ticks(), Instant::now());
    sleep(length).await;
    (ticks() - before) as f64 / 100.0 / begun.elapsed().as_secs_f64()
}

/// The resident memory of a process, in MiB.
fn memory(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    let kibibytes = line.split_whitespace().next().and_then(|text| text.parse::<f64>().ok());
    kibibytes.expect("a number of kB") / 1024.0
}

/// What the recorded platform saw while the sources changed. The encoder is there before and after.
async fn hole_row(rounds: usize, case: &str, program: &Program, stand_in: &StandIn) -> String {
    let (mut holes, mut gaps) = (Vec::new(), Vec::new());
    let sessions = stand_in.recorded_sessions();
    for _ in 0..rounds {
        program.is_on_air(0, "live").await;
        sleep(Duration::from_secs(2)).await;
        stand_in.take_arrivals();
        match case {
            "operator's cut" => {
                program.set_mode("hold_backup").await;
                program.is_on_air(0, "slate").await;
                program.set_mode("auto").await;
            }
            "encoder dies" => lose(Encoders::Die, program, stand_in).await,
            "encoder freezes" => lose(Encoders::Freeze, program, stand_in).await,
            _ => sleep(Duration::from_secs(2)).await,
        }
        program.is_on_air(0, "live").await;
        sleep(Duration::from_secs(2)).await;
        let arrivals = stand_in.take_arrivals();
        holes.push(longest(&arrivals, |a, b| (b.at - a.at).as_secs_f64() * 1e3));
        gaps.push(longest(&arrivals, |a, b| {
            assert!(b.timestamp > a.timestamp, "the timestamps do not rise: {a:?} {b:?}");
            f64::from(b.timestamp - a.timestamp)
        }));
    }
    let connections = 1 + stand_in.recorded_sessions() - sessions;
    format!("| {case} | {} | {} | {connections} |", spread(&mut holes), spread(&mut gaps))
}

async fn lose(they: Encoders, program: &Program, stand_in: &StandIn) {
    stand_in.encoders(they);
    program.is_on_air(0, "slate").await;
    stand_in.encoders(Encoders::Send);
}

fn longest(arrivals: &[Arrival], distance: impl Fn(&Arrival, &Arrival) -> f64) -> f64 {
    arrivals.windows(2).map(|two| distance(&two[0], &two[1])).fold(0.0, f64::max)
}

/// The median, with minimum and maximum in brackets.
fn spread(values: &mut [f64]) -> String {
    values.sort_by(f64::total_cmp);
    format!("{:.0} ({:.0}–{:.0})", values[values.len() / 2], values[0], values[values.len() - 1])
}
