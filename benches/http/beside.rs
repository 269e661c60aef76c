//! Two builds side by side: `cargo bench --bench http -- beside FILE`, where FILE is the program that `cargo bench --bench
//! http --no-run` names in another checkout. Each build serves in a process of its own, on databases of its own. They take
//! turns every 150 ms, because the speed of a machine drifts by more than the difference that is looked for. `beside FILE
//! TEXT` times only rows with this text ("PostgreSQL publish, known"), four times as long.

use std::process::Stdio;
use std::time::Duration;

use streamward::domain::secret::KeySecret;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::load::{Connections, Requests, drive};
use crate::subject::{STORES, Size, Subject, Target};
use crate::{AUTH, CALLERS, Case};

const TURN: Duration = Duration::from_millis(150);
const PAIRS: usize = 40;

/// Serves both databases until standard input ends. Prints one line for each: store, address, keys.
pub(crate) async fn serve() {
    let subjects =
        [Subject::on(STORES[0], Size::ORDINARY).await, Subject::on(STORES[1], Size::ORDINARY).await];
    for Subject { target, .. } in &subjects {
        let keys: Vec<&str> = target.keys.iter().map(KeySecret::expose).collect();
        println!("{} {} {}", target.store, target.address, keys.join(","));
    }
    let _ = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await;
    for subject in subjects {
        subject.stop().await;
    }
}

/// Prints how many requests a second this build answers, as a ratio to `other`.
pub(crate) async fn compare(other: &str, only: Option<&str>) {
    let pairs = if only.is_some() { 4 * PAIRS } else { PAIRS };
    let this = std::env::current_exe().expect("this program");
    let (_this, ours) = start(&this.to_string_lossy()).await;
    let (_other, theirs) = start(other).await;
    println!("| store | what | connections | callers | this build to the other | quarters | per second |");
    println!("|---|---|---|---|---|---|---|");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        for how in [Connections::New, Connections::Kept] {
            for callers in [1, CALLERS] {
                let is_chosen = |case: &&Case| {
                    only.is_none_or(|text| format!("{} {}", ours.store, case.name).contains(text))
                };
                for case in AUTH.iter().filter(is_chosen) {
                    row(case, [ours, theirs], how, callers, pairs).await;
                }
            }
        }
    }
}

async fn start(program: &str) -> (Child, Vec<Target>) {
    let mut command = Command::new(program);
    command.args(["serve", "--bench"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut targets = Vec::new();
    while targets.len() < 2 {
        let line = lines.next_line().await.expect("its output").expect("a line for each database");
        if let [store, address, keys] = line.split(' ').collect::<Vec<_>>()[..] {
            let keys = keys.split(',').map(|key| KeySecret::parse(key).expect("a key")).collect();
            targets.push(Target {
                store: store.to_owned(),
                address: address.parse().expect("an address"),
                keys,
            });
        }
    }
    (child, targets)
}

async fn row(case: &Case, targets: [&Target; 2], how: Connections, callers: usize, pairs: usize) {
    let requests: [Requests; 2] = targets.map(|target| case.requests(target, callers));
    let (mut ratios, mut answers) = (Vec::new(), 0.0);
    for pair in 0..=pairs {
        let mut speeds = [0.0; 2];
        for who in if pair % 2 == 0 { [0, 1] } else { [1, 0] } {
            let outcome = drive(targets[who].address, &requests[who], how, TURN, case.status).await;
            assert_eq!(outcome.unexpected, 0, "{}: not every status is {}", case.name, case.status);
            speeds[who] = outcome.per_second();
        }
        // The first pair warms up.
        if pair > 0 {
            ratios.push(speeds[0] / speeds[1]);
            answers += speeds[0];
        }
    }
    ratios.sort_by(f64::total_cmp);
    let connections = if how == Connections::New { "new" } else { "kept" };
    println!(
        "| {} | {} | {connections} | {callers} | {:.3} | {:.3}–{:.3} | {:.0} |",
        targets[0].store,
        case.name,
        ratios[pairs / 2],
        ratios[pairs / 4],
        ratios[pairs * 3 / 4],
        answers / pairs as f64,
    );
}
