//! What is in `deploy/` and `compose.yaml`: that it fits the program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::metrics::{described, names_in};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Metrics that are not in our list: of the process, of the client of Prometheus, and of Prometheus itself.
const OF_OTHERS: [&str; 7] = [
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "up",
];

/// The metrics that an expression uses.
fn used(expression: &str) -> BTreeSet<String> {
    // What is in quotation marks is a value of a label.
    let bare: String = expression.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let ours = names_in(&bare).map(|name| {
        let mut parts = ["_bucket", "_sum", "_count"].iter().filter_map(|part| name.strip_suffix(part));
        parts.rfind(|base| described().contains(base)).unwrap_or(name).to_owned()
    });
    let words = bare.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let others = words.filter(|word| word.starts_with("process_") || *word == "up").map(str::to_owned);
    ours.chain(others).collect()
}

#[track_caller]
fn assert_all_exist(expressions: &[String]) {
    assert!(expressions.len() >= 10, "{expressions:?}");
    for expression in expressions {
        let used = used(expression);
        assert!(!used.is_empty(), "{expression}");
        for name in used {
            let exists = described().contains(&*name) || OF_OTHERS.contains(&&*name);
            assert!(exists, "there is no metric {name}: {expression}");
        }
    }
}

/// Runs a program: whether it succeeded, and what it said.
fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let ended = Command::new(program).args(arguments).output();
    let ended = ended.unwrap_or_else(|error| panic!("{program}: {error}: run .ci/setup"));
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    (ended.status.success(), said)
}

/// The expressions of alerts: on the line of `expr:`, or indented below it.
fn alert_expressions(rules: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut lines = rules.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(first) = line.trim_start().strip_prefix("expr:") else { continue };
        let indent = line.len() - line.trim_start().len();
        let mut expression = first.trim().trim_start_matches(">-").to_owned();
        while let Some(more) = lines.next_if(|more| more.len() - more.trim_start().len() > indent) {
            expression += " ";
            expression += more.trim();
        }
        all.push(expression);
    }
    all
}

#[test]
fn alerts_use_metrics_that_exist() {
    let rules = text("deploy/prometheus/streamward.rules.yml");
    let expressions = alert_expressions(&rules);
    assert_eq!(expressions.len(), rules.matches("- alert:").count());
    assert_all_exist(&expressions);
    for test in [["check", "rules", "streamward.rules.yml"], ["test", "rules", "streamward.test.yml"]] {
        let path = file("deploy/prometheus").join(test[2]).display().to_string();
        let (passed, said) = run("promtool", &[test[0], test[1], &path]);
        assert!(passed, "{said}");
    }
}

/// Every `expr` of a dashboard.
fn panel_expressions(json: &Value, all: &mut Vec<String>) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(expression) if name == "expr" => all.push(expression.to_owned()),
                    _ => panel_expressions(value, all),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| panel_expressions(item, all)),
        _ => {}
    }
}

#[test]
fn the_dashboard_uses_metrics_that_exist() {
    let dashboard: Value = serde_json::from_str(&text("deploy/grafana/streamward.json")).expect("JSON");
    let mut expressions = Vec::new();
    panel_expressions(&dashboard, &mut expressions);
    assert_all_exist(&expressions);
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: Vec<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    let distinct: BTreeSet<u64> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "each panel has its own id");
}

#[test]
fn systemd_accepts_the_unit() {
    let unit = text("deploy/systemd/streamward.service");
    for line in
        ["Type=notify", "WatchdogSec=30s", "ProtectSystem=strict", "NoNewPrivileges=yes", "User=streamward"]
    {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("streamward.service");
    // The program need not be installed here.
    let unit = unit.replace("/usr/local/bin/streamward", env!("CARGO_BIN_EXE_streamward"));
    std::fs::write(&copy, unit).expect("written");
    let path = copy.display().to_string();
    let (passed, said) = run("systemd-analyze", &["verify", "--man=no", &path]);
    assert!(passed && !said.contains("streamward.service:"), "{said}");
    let arguments = ["security", "--offline=true", "--threshold=20", &path];
    let (passed, said) = run("systemd-analyze", &arguments);
    assert!(passed, "the exposure is above 2.0: {said}");
}

#[test]
fn the_public_name_is_in_one_place() {
    let compose = text("compose.yaml");
    let settings: Vec<&str> = compose
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#') && line.contains("PUBLIC_HOST"))
        .collect();
    let keys = [
        "RTMP_URL",
        "RTSP_URL",
        "SRT_URL",
        "HLS_URL",
        "WEBRTC_URL",
        "MTX_WEBRTCADDITIONALHOSTS",
        "PUBLIC_URL",
    ];
    for key in keys {
        assert!(settings.iter().any(|line| line.contains(key)), "{key} is not in {settings:#?}");
    }
    for line in &settings {
        assert!(line.contains("${STREAMWARD_PUBLIC_HOST:-localhost}"), "{line}");
    }
    let elsewhere = compose.replace("${STREAMWARD_PUBLIC_HOST:-localhost}", "");
    let elsewhere = elsewhere.lines().filter(|line| !line.trim_start().starts_with('#'));
    assert_eq!(elsewhere.filter(|line| line.contains("localhost")).count(), 0);
}
