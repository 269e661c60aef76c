//! `/metrics`: what it says, and that Prometheus understands it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use streamward::runtime::telemetry::{
    AUTH_BUCKETS, COUNTERS, GAUGES, HISTOGRAMS, LogFormat, Telemetry, TelemetryConfig,
};

use crate::harness::{Engine, Setup, TestApp};

/// Names that begin like metrics, and are none.
const NO_METRICS: [&str; 3] = ["streamward_session", "streamward_device", "streamward_sign_in"];

fn telemetry() -> (Telemetry, streamward::runtime::telemetry::BoxedRecorder) {
    let config = TelemetryConfig {
        level: "warn".to_owned(),
        format: LogFormat::Text,
        otlp_endpoint: None,
        service_instance: "here".to_owned(),
    };
    let (telemetry, _, recorder) = Telemetry::build(&config).expect("built");
    (telemetry, recorder)
}

/// All names that have a description.
pub(crate) fn described() -> BTreeSet<&'static str> {
    [COUNTERS, GAUGES, HISTOGRAMS].into_iter().flatten().map(|(name, _)| *name).collect()
}

/// The words that are metrics of ours.
pub(crate) fn names_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("streamward_"))
}

fn sources(folder: &Path, all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("descriptions.rs") {
            all.push(fs::read_to_string(&path).expect("a text"));
        }
    }
}

/// The families of an exposition, each with its kind. Every sample must belong to one, and every one needs a meaning.
#[track_caller]
fn families(text: &str) -> BTreeMap<String, String> {
    let (mut helped, mut families) = (BTreeSet::new(), BTreeMap::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            assert!(!help.trim().is_empty() && helped.insert(name.to_owned()), "{line}");
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            assert!(families.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
        } else {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let parts = ["_bucket", "_sum", "_count"].iter().filter_map(|part| name.strip_suffix(part));
            let is_known = families.contains_key(name)
                || parts.clone().any(|base| families.get(base).is_some_and(|kind| kind == "histogram"));
            assert!(is_known, "no TYPE: {line}");
        }
    }
    let names: BTreeSet<String> = families.keys().cloned().collect();
    assert_eq!(helped, names, "each family has HELP and TYPE");
    families
}

/// What `promtool check metrics` says. It says nothing if all is well.
fn check_with_promtool(text: &str) {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("promtool: run .ci/setup");
    let mut input = child.stdin.take().expect("piped");
    let text = text.to_owned();
    let writing = std::thread::spawn(move || std::io::Write::write_all(&mut input, text.as_bytes()));
    let ended = child.wait_with_output().expect("it ends");
    writing.join().expect("a thread").expect("it reads");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.trim().is_empty(), "promtool: {said}");
}

#[test]
fn every_metric_is_described_and_every_description_is_of_a_metric() {
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let quoted = all.iter().flat_map(|text| text.split('"'));
    let is_name = |text: &&str| names_in(text).next() == Some(*text) && !text.ends_with('_');
    let recorded: BTreeSet<&str> = quoted.filter(is_name).filter(|name| !NO_METRICS.contains(name)).collect();
    assert_eq!(recorded, described());
}

#[test]
fn prometheus_finds_nothing_wrong_with_any_metric() {
    let (telemetry, recorder) = telemetry();
    metrics::with_local_recorder(&recorder, || {
        COUNTERS.iter().for_each(|(name, _)| metrics::counter!(*name, "task" => "a").increment(1));
        GAUGES.iter().for_each(|(name, _)| metrics::gauge!(*name, "task" => "a").set(1));
        HISTOGRAMS.iter().for_each(|(name, _)| metrics::histogram!(*name, "task" => "a").record(0.1));
        let text = telemetry.prometheus()();
        let families = families(&text);
        assert!(described().iter().all(|name| families.contains_key(*name)), "{families:?}");
        for name in ["process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes"] {
            assert!(families.contains_key(name), "{families:?}");
        }
        let version = format!("streamward_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&version), "{text}");
        check_with_promtool(&text);
    });
}

#[test]
fn buckets_of_auth_begin_at_ten_microseconds() {
    let (telemetry, recorder) = telemetry();
    metrics::with_local_recorder(&recorder, || {
        metrics::histogram!("streamward_auth_duration_seconds").record(0.000_009);
        metrics::histogram!("streamward_auth_duration_seconds").record(0.000_03);
        let text = telemetry.prometheus()();
        let bucket = |le: &str| format!("streamward_auth_duration_seconds_bucket{{le=\"{le}\"}}");
        for (le, count) in [("0.00001", 1), ("0.000025", 1), ("0.00005", 2), ("+Inf", 2)] {
            assert!(text.contains(&format!("{} {count}\n", bucket(le))), "{le}: {text}");
        }
        let buckets = text.matches("streamward_auth_duration_seconds_bucket").count();
        assert_eq!(buckets, AUTH_BUCKETS.len() + 1);
    });
}

#[tokio::test]
async fn a_stream_has_metrics_as_long_as_it_is_live() {
    let (telemetry, _) = telemetry();
    let metrics: streamward::adapters::http::MetricsText = Arc::new(telemetry.prometheus());
    let app = TestApp::with(Engine::Memory, Setup { metrics: Some(metrics), ..Setup::default() }).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "one").await;
    app.media().watched_by("live/alice", 3);
    let shown = "streamward_stream_readers{media_server=\"default\",path=\"live/alice\"} 3\n";
    let text = |answer: crate::harness::Answer| String::from_utf8(answer.body.to_vec()).expect("a text");
    let read = || app.as_nobody().get("/metrics");
    let all = app.until(read, |answer| Some(text(answer)).filter(|text| text.contains(shown))).await;
    families(&all);
    // What an encoder sends is measured over some seconds, and this one sends nothing.
    let bitrate =
        "streamward_stream_inbound_bytes_per_second{media_server=\"default\",path=\"live/alice\"} 0\n";
    let all = app.until(read, |answer| Some(text(answer)).filter(|text| text.contains(bitrate))).await;
    check_with_promtool(&all);
    app.media().leave("live/alice");
    app.ended(&stream["id"]).await;
    let gone = |answer| Some(text(answer)).filter(|text| !text.contains("live/alice"));
    families(&app.until(read, gone).await);
}
