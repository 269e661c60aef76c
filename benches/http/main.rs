//! The throughput over HTTP, as a ratio to a bare axum handler that parses the same JSON.
//!
//! Subject and reference take turns for several rounds of the same run, so that other load on the machine affects both.
//! `cargo bench --bench http 2>/dev/null` prints the table of `benches/README.md`: with logs (on standard error), spans
//! and metrics, as the service runs. `-- silent` omits them, `-- quick` takes a tenth of the time. `-- beside FILE`
//! compares this build with another one of this bench: see [`beside`].
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a bench without its setup measures nothing")]

mod beside;
mod load;
mod subject;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::routing::{get, post};
use load::{Connections, Outcome, Requests, drive};
use serde::Deserialize;
use streamward::runtime::telemetry::{LogFormat, Telemetry, TelemetryConfig};
use subject::{Subject, Target};
use tokio::task::JoinSet;

/// The most concurrent callers; the subject has as many keys.
pub(crate) const CALLERS: usize = 100;
/// How many people sign in at once, again and again, beside `/auth`.
pub(crate) const SIGN_INS: usize = 20;
/// How many media servers ask `/auth` meanwhile.
const BESIDE: usize = 4;

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

const LIST: Case = Case {
    name: "GET /streams, 100 live, 10,000 ended",
    request: Target::list,
    ring: 1,
    status: 200,
    reference: "/list",
};

struct Plan {
    rounds: usize,
    length: Duration,
}

#[tokio::main]
async fn main() {
    // Cargo passes flags too.
    let telemetry = TelemetryConfig {
        level: "info".into(),
        format: LogFormat::Text,
        otlp_endpoint: None,
        service_instance: "bench".into(),
    };
    let silent = std::env::args().any(|argument| argument == "silent");
    let _kept = (!silent).then(|| Telemetry::init(&telemetry).expect("telemetry starts"));
    let quick = std::env::args().any(|argument| argument == "quick" || argument == "--test");
    let plan = if quick {
        Plan { rounds: 2, length: Duration::from_millis(100) }
    } else {
        Plan { rounds: 5, length: Duration::from_millis(600) }
    };
    let mut arguments = std::env::args();
    if arguments.any(|argument| argument == "beside") {
        let other = arguments.next().expect("the other build of this bench");
        let only = arguments.next().filter(|text| !text.starts_with("--"));
        return beside::compare(&other, only.as_deref()).await;
    }
    if std::env::args().any(|argument| argument == "serve") {
        return beside::serve().await;
    }
    println!(
        "| store | what | connections | callers | ratio to bare | per second | p50 ms | p95 ms | p99 ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for subject in [Subject::sqlite().await, Subject::postgres().await] {
        let mut tasks = JoinSet::new();
        let reference = bare(subject.list_body().await, &mut tasks).await;
        for how in [Connections::New, Connections::Kept] {
            for callers in [1, CALLERS] {
                for case in AUTH.iter().chain([&LIST]) {
                    row(&plan, &subject, reference, case, how, callers).await;
                }
            }
        }
        for case in [&AUTH[0], &AUTH[3]] {
            beside_sign_ins(&plan, &subject, case).await;
        }
        subject.stop().await;
    }
}

/// `/auth` while people sign in, as a ratio to `/auth` alone: each password costs 19 MiB and tens of milliseconds of a processor.
async fn beside_sign_ins(plan: &Plan, subject: &Subject, case: &Case) {
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
    ratios.sort_by(f64::total_cmp);
    println!(
        "| {} | {}, while {SIGN_INS} sign in at once ({:.0} a second); ratio to alone | new | {BESIDE} | {:.2} ({:.2}–{:.2}) | {:.0} | {:.2} | {:.2} | {:.2} |",
        subject.target.store,
        case.name,
        signed_in / (plan.rounds + 1) as f64,
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
        total.per_second(),
        total.percentile(50),
        total.percentile(95),
        total.percentile(99),
    );
}

async fn row(
    plan: &Plan,
    subject: &Subject,
    reference: SocketAddr,
    case: &Case,
    how: Connections,
    callers: usize,
) {
    let requests = case.requests(&subject.target, callers);
    let bare: Requests =
        Arc::new(requests.iter().map(|ring| ring.iter().map(|r| aim(r, case.reference)).collect()).collect());
    let (mut total, mut ratios) = (Outcome::default(), Vec::new());
    for round in 0..=plan.rounds {
        // The two alternate in going first.
        let mut pair = [None, None];
        for who in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            pair[who] = Some(match who {
                0 => drive(reference, &bare, how, plan.length, 200).await,
                _ => drive(subject.target.address, &requests, how, plan.length, case.status).await,
            });
        }
        let [Some(reference), Some(measured)] = pair else { unreachable!("both were driven") };
        assert_eq!(reference.unexpected, 0, "the reference gave another status");
        assert_eq!(measured.unexpected, 0, "{}: not every status is {}", case.name, case.status);
        // The first round warms up.
        if round > 0 {
            ratios.push(measured.per_second() / reference.per_second());
            total.add(measured);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let connections = if how == Connections::New { "new" } else { "kept" };
    println!(
        "| {} | {} | {connections} | {callers} | {:.2} ({:.2}–{:.2}) | {:.0} | {:.2} | {:.2} | {:.2} |",
        subject.target.store,
        case.name,
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
        total.per_second(),
        total.percentile(50),
        total.percentile(95),
        total.percentile(99),
    );
}

/// The same request, sent to another path.
fn aim(request: &[u8], path: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(request);
    let mut words = text.splitn(3, ' ');
    let (method, rest) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
    format!("{method} {path} {rest}").into_bytes()
}

/// Plain axum: one handler parses the request, the other sends a fixed body.
async fn bare(list: String, tasks: &mut JoinSet<io::Result<()>>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let address = listener.local_addr().expect("the port");
    let list = Arc::new(list);
    let router = axum::Router::new()
        .route("/bare", post(|Json(_): Json<Body>| async { StatusCode::OK }))
        .route("/list", get(move || async move { list.as_str().to_owned() }));
    tasks.spawn(async move { axum::serve(listener, router).await });
    address
}
