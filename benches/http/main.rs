//! The throughput over HTTP, as a ratio to a bare axum handler that parses the same JSON.
//!
//! Subject and reference take turns for several rounds of the same run, so that other load on the machine affects both.
//! `cargo bench --bench http 2>/dev/null` prints the table of `benches/README.md`: with logs (on standard error), spans
//! and metrics, as the service runs. `-- silent` omits them, `-- quick` takes a tenth of the time. `-- TEXT` prints only the
//! rows with this text. `-- beside FILE` compares this build with another one of this bench: see [`beside`].
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a bench without its setup measures nothing")]

mod beside;
mod database;
mod load;
mod program;
mod subject;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::routing::{get, post};
use database::Database;
use load::{Connections, Outcome, Requests, drive, drive_paced};
use serde::Deserialize;
use streamward::adapters::system::SystemClock;
use streamward::ports::Clock as _;
use streamward::runtime::telemetry::{LogFormat, Telemetry, TelemetryConfig};
use subject::{STORES, Size, Subject, Target};
use tokio::task::JoinSet;

/// The most concurrent callers; the subject has as many keys.
pub(crate) const CALLERS: usize = 100;
/// The concurrent readers of a list of a thousand streams: one client may read sixteen long lists at once.
const LONG_LISTS: usize = 8;
/// How many people sign in at once, again and again, beside `/auth`.
pub(crate) const SIGN_INS: usize = 20;
/// How many media servers ask `/auth` meanwhile.
const BESIDE: usize = 4;
/// How often each of them asks, where processors are to spare.
const BESIDE_PACE: Duration = Duration::from_millis(10);

/// The body of MediaMTX 1.20's `/auth` request, as the reference parses it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "the reference parses the fields without using them")]
struct Body {
    ip: String,
    user: String,
    password: String,
    token: String,
    action: String,
    path: String,
    protocol: String,
    id: Option<String>,
    query: String,
    #[serde(rename = "userAgent")]
    user_agent: String,
}

/// One row of the table.
struct Case {
    name: &'static str,
    /// The request of caller `n`, number `i`.
    request: fn(&Target, usize, usize) -> Vec<u8>,
    /// How many different requests a caller sends in turn.
    ring: usize,
    status: u16,
    reference: &'static str,
}

impl Case {
    fn requests(&self, target: &Target, callers: usize) -> Requests {
        let ring = |n: usize| (0..self.ring).map(|i| (self.request)(target, n, i)).collect::<Vec<_>>();
        Arc::new((0..callers).map(ring).collect())
    }
}

const AUTH: [Case; 4] = [
    Case { name: "read", request: Target::read, ring: 1, status: 200, reference: "/bare" },
    Case {
        name: "publish, one unknown key",
        request: Target::unknown,
        ring: 1,
        status: 401,
        reference: "/bare",
    },
    Case {
        name: "publish, many unknown keys",
        request: Target::unknown,
        ring: 2_000,
        status: 401,
        reference: "/bare",
    },
    Case { name: "publish, known key", request: Target::known, ring: 1, status: 200, reference: "/bare" },
];

/// A claim beside what a commit costs at least.
const CLAIM: Case = Case {
    name: "publish, known key; ratio to one update for each request",
    request: Target::known,
    ring: 1,
    status: 200,
    reference: "/update",
};

const LIST: Case = Case {
    name: "GET /streams, 100 live, 10,000 ended",
    request: Target::list,
    ring: 1,
    status: 200,
    reference: "/list",
};

/// How long the rows are measured, and which.
pub(crate) struct Plan {
    rounds: usize,
    length: Duration,
    /// How many times fewer keys and streams the rows "to 1,000" have than they say.
    smaller: usize,
    /// Only rows with this text.
    only: Option<String>,
}

/// What the callers of one side of a comparison do.
struct Side {
    address: SocketAddr,
    requests: Requests,
    status: u16,
}

impl Side {
    fn of(target: &Target, case: &Case, callers: usize) -> Self {
        Self { address: target.address, requests: case.requests(target, callers), status: case.status }
    }
}

#[tokio::main]
async fn main() {
    let telemetry = TelemetryConfig {
        level: "info".into(),
        format: LogFormat::Text,
        otlp_endpoint: None,
        service_instance: "bench".into(),
    };
    // Cargo passes flags too.
    let mut words: Vec<String> =
        std::env::args().skip(1).map(|word| if word == "--test" { "quick".into() } else { word }).collect();
    words.retain(|word| !word.starts_with("--"));
    let (is_silent, is_quick) = (takes(&mut words, "silent"), takes(&mut words, "quick"));
    let _kept = (!is_silent).then(|| Telemetry::init(&telemetry).expect("telemetry starts"));
    if takes(&mut words, "serve") {
        return beside::serve().await;
    }
    if takes(&mut words, "fetch") {
        return program::fetch(words.first().expect("an address")).await;
    }
    if takes(&mut words, "beside") {
        let other = words.first().expect("the other build of this bench");
        return beside::compare(other, words.get(1).map(String::as_str)).await;
    }
    let only = words.pop();
    let plan = if is_quick {
        Plan { rounds: 2, length: Duration::from_millis(100), smaller: 100, only }
    } else {
        Plan { rounds: 5, length: Duration::from_millis(600), smaller: 1, only }
    };
    println!(
        "| store | what | connections | callers | ratio | per second | p50 ms | p95 ms | p99 ms | p50 to the other |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for store in STORES {
        beside_a_bare_handler(&plan, store).await;
        by_size(&plan, store).await;
    }
    program::memory_by_keys(&plan).await;
    program::poll(&plan).await;
}

/// Removes an option.
fn takes(words: &mut Vec<String>, option: &str) -> bool {
    let many = words.len();
    words.retain(|word| word != option);
    words.len() < many
}

/// What a row begins with.
fn label(store: &str, what: &str, how: Connections, callers: usize) -> String {
    let connections = if how == Connections::New { "new" } else { "kept" };
    format!("| {store} | {what} | {connections} | {callers} |")
}

impl Plan {
    fn wants(&self, row: &str) -> bool {
        self.only.as_ref().is_none_or(|text| row.contains(text))
    }
}

async fn beside_a_bare_handler(plan: &Plan, store: &str) {
    let mut rows = Vec::new();
    for how in [Connections::New, Connections::Kept] {
        for callers in [1, CALLERS] {
            let label = |case: &'static Case| (label(store, case.name, how, callers), case, how, callers);
            rows.extend(AUTH.iter().chain([&CLAIM, &LIST]).map(label).filter(|row| plan.wants(&row.0)));
        }
    }
    let sign_ins = [&AUTH[0], &AUTH[3]].map(|case| (format!("{}, while people sign in", case.name), case));
    let sign_ins: Vec<_> = sign_ins
        .iter()
        .filter(|(what, _)| plan.wants(&label(store, what, Connections::New, BESIDE)))
        .collect();
    if rows.is_empty() && sign_ins.is_empty() {
        return;
    }
    let subject = Subject::on(store, Size::ORDINARY).await;
    subject.database.prepare_bare(CALLERS).await;
    let mut tasks = JoinSet::new();
    let reference = bare(subject.list_body().await, subject.database.clone(), &mut tasks).await;
    for (row, case, how, callers) in rows {
        let measured = Side::of(&subject.target, case, callers);
        let aimed = |ring: &Vec<Vec<u8>>| ring.iter().map(|request| aim(request, case.reference)).collect();
        let requests = Arc::new(measured.requests.iter().map(aimed).collect());
        let bare = Side { address: reference, requests, status: 200 };
        compare(plan, &row, how, [&bare, &measured]).await;
    }
    for (what, case) in sign_ins {
        beside_sign_ins(plan, &subject, case, what).await;
    }
    subject.stop().await;
}

/// The same with a database a thousand times as large.
async fn by_size(plan: &Plan, store: &str) {
    let few = 1_000 / plan.smaller;
    let keys = Size { keys: few, ..Size::ORDINARY };
    let ended = Size { keys: 0, live: few, ended: few };
    let (many_keys, many_ended) = (Size { keys: few * 1_000, ..keys }, Size { ended: few * 1_000, ..ended });
    for (cases, to, callers, small, large) in [
        (&AUTH[..], "1,000,000 keys to 1,000", CALLERS, keys, many_keys),
        (&[LIST], "1,000 live, 1,000,000 ended to 1,000", LONG_LISTS, ended, many_ended),
    ] {
        let rows = cases.iter().map(|case| {
            let what = format!("{}, {to}", case.name.split(", 100 live").next().unwrap_or_default());
            (label(store, &what, Connections::New, callers), case)
        });
        let rows: Vec<_> = rows.filter(|(row, _)| plan.wants(row)).collect();
        if rows.is_empty() {
            continue;
        }
        let [few, many] = [Subject::on(store, small).await, Subject::on(store, large).await];
        for (row, case) in rows {
            let sides = [&few, &many].map(|subject| Side::of(&subject.target, case, callers));
            compare(plan, &row, Connections::New, [&sides[0], &sides[1]]).await;
        }
        few.stop().await;
        many.stop().await;
    }
}

/// `/auth` while people sign in, as a ratio to `/auth` alone: each password costs 19 MiB and tens of milliseconds of a processor.
async fn beside_sign_ins(plan: &Plan, subject: &Subject, case: &Case, what: &str) {
    let (address, how) = (subject.target.address, Connections::New);
    let requests = case.requests(&subject.target, BESIDE);
    let sign_in = Case { name: "sign in", request: Target::sign_in, ring: 1, status: 201, reference: "" };
    let sign_ins = sign_in.requests(&subject.target, SIGN_INS);
    let (mut total, mut ratios, mut signed_in) = (Outcome::default(), Vec::new(), 0.0);
    for round in 0..=plan.rounds {
        let mut pair = [None, None];
        for who in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let auth = drive(address, &requests, how, plan.length, case.status);
            pair[who] = Some(if who == 0 {
                auth.await
            } else {
                let (auth, people) =
                    tokio::join!(auth, drive(address, &sign_ins, how, plan.length, sign_in.status));
                assert!(people.unexpected == 0 && people.answers > 0, "everybody signs in");
                signed_in += people.per_second();
                auth
            });
        }
        let [Some(alone), Some(beside)] = pair else { unreachable!("both were driven") };
        assert_eq!(
            alone.unexpected + beside.unexpected,
            0,
            "{}: not every status is {}",
            case.name,
            case.status
        );
        if round > 0 {
            ratios.push(beside.per_second() / alone.per_second());
            total.add(beside);
        }
    }
    let what = format!("{what} ({:.0} a second); ratio to alone", signed_in / (plan.rounds + 1) as f64);
    print(&label(&subject.target.store, &what, how, BESIDE), ratios, &mut total, "");
    beside_a_crowd(plan, subject, case, &requests, &sign_ins).await;
}

/// How long a request of a media server takes while twenty people sign in at once, and alone, with processors to spare.
async fn beside_a_crowd(plan: &Plan, subject: &Subject, case: &Case, requests: &Requests, people: &Requests) {
    let (address, how) = (subject.target.address, Connections::New);
    // About as long as twenty sign-ins take.
    let moment = Duration::from_millis(500);
    let auth = || drive_paced(address, requests, how, BESIDE_PACE, moment, case.status);
    // Each signs in once.
    let crowd = || drive_paced(address, people, how, moment, moment, 201);
    let (mut alone, mut beside) = (Outcome::default(), Outcome::default());
    for _ in 0..plan.rounds * 8 {
        alone.add(auth().await);
        let (answers, signed_in) = tokio::join!(auth(), crowd());
        assert_eq!((signed_in.answers, signed_in.unexpected), (SIGN_INS as u64, 0), "everybody signs in");
        beside.add(answers);
    }
    assert_eq!(alone.unexpected + beside.unexpected, 0, "{}: not every status is {}", case.name, case.status);
    let [alone, beside] = [&mut alone, &mut beside].map(|outcome| {
        [50, 95, 99].map(|of_hundred| format!("{:.2}", outcome.percentile(of_hundred))).join(" / ")
    });
    println!(
        "| {} | {} beside twenty sign-ins at once, {} a second; p50 / p95 / p99 ms: {beside}, alone: {alone} |",
        subject.target.store,
        case.name,
        BESIDE as u128 * 1_000 / BESIDE_PACE.as_millis()
    );
}

/// Prints a row: its ratio is the median with minimum and maximum.
fn print(row: &str, mut ratios: Vec<f64>, total: &mut Outcome, p50_ratio: &str) {
    ratios.sort_by(f64::total_cmp);
    println!(
        "{row} {:.2} ({:.2}–{:.2}) | {:.0} | {:.2} | {:.2} | {:.2} | {p50_ratio} |",
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
        total.per_second(),
        total.percentile(50),
        total.percentile(95),
        total.percentile(99),
    );
}

/// Drives both in turns, and prints how many requests a second the other one answers, as a ratio to the first.
async fn compare(plan: &Plan, row: &str, how: Connections, sides: [&Side; 2]) {
    let (mut totals, mut ratios) = ([Outcome::default(), Outcome::default()], Vec::new());
    for round in 0..=plan.rounds {
        let mut speeds = [0.0; 2];
        // The two alternate in going first.
        for who in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let Side { address, requests, status } = sides[who];
            let outcome = drive(*address, requests, how, plan.length, *status).await;
            assert_eq!(outcome.unexpected, 0, "{row} not every status is {status}");
            speeds[who] = outcome.per_second();
            // The first round warms up.
            if round > 0 {
                totals[who].add(outcome);
            }
        }
        if round > 0 {
            ratios.push(speeds[1] / speeds[0]);
        }
    }
    let [first, other] = &mut totals;
    let p50 = format!("{:.2}", other.percentile(50) / first.percentile(50));
    print(row, ratios, other, &p50);
}

/// The same request, sent to another path.
fn aim(request: &[u8], path: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(request);
    let mut words = text.splitn(3, ' ');
    let (method, rest) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
    format!("{method} {path} {rest}").into_bytes()
}

/// Plain axum: one handler parses the request, one also updates a row, and one sends a fixed body.
async fn bare(list: String, database: Database, tasks: &mut JoinSet<io::Result<()>>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let address = listener.local_addr().expect("the port");
    let list = Arc::new(list);
    let router = axum::Router::new()
        .route("/bare", post(|Json(_): Json<Body>| async { StatusCode::OK }))
        .route("/list", get(move || async move { list.as_str().to_owned() }))
        .route(
            "/update",
            post(async move |Json(body): Json<Body>| {
                database.update(&body.path, body.id.as_deref(), SystemClock.now().micros()).await;
                StatusCode::OK
            }),
        );
    tasks.spawn(async move { axum::serve(listener, router).await });
    address
}
