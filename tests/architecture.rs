//! The rules of the house, as tests: what may import what, how long a file may be, and what every file says of itself.
//! `src/ARCHITECTURE.md` explains them. How imports are found is in `tests/architecture/`.
#![expect(clippy::panic, reason = "a test reports by panicking")]

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/resolve.rs"]
mod resolve;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/slices.rs"]
mod slices;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/walk_around.rs"]
mod walk_around;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use circles::circles;
use slices::AllowedImport;
use source::Modules;

/// Longest file, in lines.
const MAX_LINES: usize = 500;
/// What the middle file may have, in lines.
const MAX_MEDIAN: usize = 150;

/// Circles that are still there. This list must become empty: remove a line with its circle, never add one.
const KNOWN_CIRCLES: &[&str] = &[];

/// What one slice imports of another within a layer, other than a service or an event. This list must shrink: an
/// entry that is not needed any more fails the test.
const IMPORTS_BETWEEN_SLICES: &[AllowedImport] = &[
    allow("domain", "audit", "access", "an entry names its actor"),
    allow("domain", "channel", "broadcaster", "the name that people see"),
    allow("domain", "event", "broadcaster", "a stored event is made from it"),
    allow("domain", "event", "channel", "a stored event is made from it"),
    allow("domain", "event", "media_server", "the session of a stored stream"),
    allow("domain", "event", "stream", "a stored event is made from it"),
    allow("domain", "event", "stream_key", "a stored event is made from it"),
    allow("domain", "event", "streamer", "a stored event is made from it"),
    allow("domain", "event", "studio", "a stored event is made from it"),
    allow("domain", "playback", "media_server", "a session of a viewer is a connection of a media server"),
    allow(
        "domain",
        "notification",
        "channel",
        "the severity of an event depends on what it tells of a channel",
    ),
    allow("domain", "notification", "stream", "the severity of an event depends on why a stream ended"),
    allow("domain", "notification", "user", "an e-mail goes to an address as users have it"),
    allow("domain", "publish", "media_server", "the connection that wants to publish"),
    allow("domain", "publish", "stream", "the form of the path that it publishes to"),
    allow("domain", "publish", "stream_key", "the decision is about a key"),
    allow("domain", "reconcile", "broadcaster", "the name that a stream keeps"),
    allow(
        "domain",
        "reconcile",
        "media_server",
        "compares what a media server carries with streams and keys",
    ),
    allow("domain", "reconcile", "stream", "compares what a media server carries with streams and keys"),
    allow("domain", "reconcile", "stream_key", "compares what a media server carries with streams and keys"),
    allow("domain", "stream", "broadcaster", "the name and metadata that a stream keeps"),
    allow("domain", "user", "access", "a user has roles"),
    allow("domain", "stream", "media_server", "the session that publishes the stream"),
    allow("domain", "stream_key", "playback", "a key says who may watch its path"),
    allow("domain", "stream_key", "media_server", "the connection that holds the key"),
    allow("app", "*", "media_server", "until the configured media servers have a module of their own"),
    allow("app", "channel", "stream_key", "a new channel shows the secrets of its keys"),
    allow("app", "stream_key", "publish", "a changed key is taken into the key cache"),
    allow("adapters/sql", "channel", "broadcaster", "a channel has a broadcaster of its own"),
    allow("adapters/sql", "channel", "stream_key", "a channel has keys of its own"),
    allow("adapters/cli", "stream_key", "broadcaster", "a key is made for a broadcaster by name"),
];

/// Lets a slice (or any, `*`) import of another one within a part of the house.
const fn allow(
    part: &'static str,
    from: &'static str,
    to: &'static str,
    reason: &'static str,
) -> AllowedImport {
    AllowedImport { part, from, to, reason }
}

/// Programs that are called by name, and from where. They do what no crate does.
const PROGRAMS: &[(&str, &str)] = &[
    ("ffmpeg", "tests/e2e/"),
    ("ffprobe", "tests/e2e/"),
    ("ffmpeg", "tests/channel/"),
    ("ffprobe", "tests/channel/"),
    ("ffmpeg", "src/adapters/ffmpeg/"),
    ("ffprobe", "src/adapters/ffmpeg/"),
    // Stands in for ffmpeg.
    ("sh", "src/adapters/ffmpeg/process.rs"),
    ("sh", "src/adapters/ffmpeg/live.rs"),
    // Stands in for a program that is not there.
    ("no-such-ffmpeg", "src/adapters/ffmpeg/process.rs"),
    // A real OBS, its screen, and the network in which both are alone.
    ("obs", "tests/studio/"),
    ("Xvfb", "tests/studio/"),
    ("unshare", "tests/studio/"),
    ("ffmpeg", "tests/studio/"),
    ("ffmpeg", "tests/api/"),
    // A real provider of OpenID Connect.
    ("node", "tests/api/"),
    ("ffmpeg", "benches/channel/"),
    // Proxies in front, and what checks what is deployed.
    ("nginx", "tests/api/"),
    ("caddy", "tests/api/"),
    ("promtool", "tests/api/"),
    // Makes a file immutable, which no crate does.
    ("chattr", "tests/faults/sqlite.rs"),
    ("pg_config", "tests/support/src/cluster.rs"),
    // Outlives the test process, to clean up after it.
    ("sh", "tests/support/src/watchdog.rs"),
    // Lowers the limit of open files of the program that it becomes; the standard library cannot without unsafe code.
    ("sh", "tests/api/program/admission.rs"),
    // Stands in for a MediaMTX.
    ("sh", "src/runtime/up/child.rs"),
    // What readers of the documentation type its commands into.
    ("bash", "tests/api/program/documents/place.rs"),
];

fn text(file: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()
}

/// Parsed once: that takes most of the time.
fn library() -> &'static Modules {
    static LIBRARY: LazyLock<Modules> =
        LazyLock::new(|| Modules::read("src/lib.rs", &text).unwrap_or_else(|error| panic!("{error}")));
    &LIBRARY
}

/// Paths of the Rust files under `folder`, relative to the repository.
fn rust_files(folder: &str) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if entry.is_dir() {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                found.push(entry);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(folder), &mut found);
    let relative = |path: PathBuf| path.strip_prefix(root).unwrap_or(&path).display().to_string();
    found.into_iter().map(relative).collect()
}

fn assert_none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}\n{}", broken.join("\n"));
}

#[test]
fn imports_point_inwards() {
    assert_none(&rules::against_layers(library()), "A layer imports from inner layers only:");
}

#[test]
fn adapters_do_not_see_each_other() {
    assert_none(
        &rules::between_adapters(library()),
        "An adapter imports no other adapter. What two of them need is a port, or a shared part of `adapters`:",
    );
}

#[test]
fn inner_layers_use_only_crates_without_io() {
    assert_none(
        &rules::crates_of_inner_layers(library()),
        "I/O belongs to adapters and runtime. A crate that does none can be added to the list in rules.rs:",
    );
    assert_none(
        &rules::crates_of_inbound_adapters(library()),
        "HTTP and the command line reach databases and other systems through use-cases:",
    );
}

#[test]
fn domain_is_synchronous_and_reads_no_clock() {
    let mut broken = rules::tokio_in_domain(library());
    for file in rust_files("src/domain") {
        let lines = rules::async_or_await(&text(&file).unwrap_or_default());
        broken.extend(lines.into_iter().map(|line| format!("{file}:{line}")));
    }
    assert_none(&broken, "The domain neither waits nor reads a clock:");
}

#[test]
fn slices_import_each_other_through_services_and_events_only() {
    let (mut broken, unused) = slices::between_slices(library(), IMPORTS_BETWEEN_SLICES);
    broken.extend(unused.iter().map(|entry| format!("gone, remove it from IMPORTS_BETWEEN_SLICES: {entry}")));
    assert_none(
        &broken,
        "A slice uses another one through its service (in app) or an event, or what both need moves to neither:",
    );
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let circles = circles(library());
    let new = circles.iter().filter(|circle| !KNOWN_CIRCLES.contains(&circle.name.as_str()));
    let new = new.map(|circle| format!("new: {}\n    {}", circle.name, circle.imports.join("\n    ")));
    let found: BTreeSet<&str> = circles.iter().map(|circle| circle.name.as_str()).collect();
    let gone = KNOWN_CIRCLES.iter().filter(|known| !found.contains(*known));
    let gone = gone.map(|known| format!("gone, remove it from KNOWN_CIRCLES: {known}"));
    assert_none(
        &new.chain(gone).collect::<Vec<_>>(),
        "Modules import each other in a circle. Move what they share into a module of its own:",
    );
}

#[test]
fn every_source_file_is_part_of_the_crate() {
    let read = &library().files;
    let lost = rust_files("src").into_iter().filter(|file| file != "src/main.rs" && !read.contains(file));
    assert_none(&lost.collect::<Vec<_>>(), "No `mod` line leads to these files:");
}

#[test]
fn files_are_short_and_say_what_lives_in_them() {
    let files: Vec<String> = ["src", "tests", "benches"].into_iter().flat_map(rust_files).collect();
    let mut lengths = Vec::new();
    for file in &files {
        let text = text(file).unwrap_or_else(|| panic!("{file} cannot be read"));
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{file} has {lines} lines, {MAX_LINES} are allowed. Split it.");
        assert!(text.starts_with("//!"), "{file} does not begin with a //! line that says what lives there");
        lengths.push(lines);
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= MAX_MEDIAN, "the middle file has {median} lines, {MAX_MEDIAN} are allowed");
}

#[test]
fn no_program_is_called_for_what_a_crate_does() {
    let called = ["src", "tests", "benches"].into_iter().flat_map(rust_files).flat_map(|file| {
        let found = rules::programs(&text(&file).unwrap_or_default());
        found.into_iter().map(move |(line, program)| (file.clone(), line, program)).collect::<Vec<_>>()
    });
    let is_allowed = |file: &str, program: &str| {
        PROGRAMS.iter().any(|(name, place)| *name == program && file.starts_with(place))
    };
    let broken = called.filter(|(file, _, program)| !is_allowed(file, program));
    let broken: Vec<String> =
        broken.map(|(file, line, program)| format!("{file}:{line}: {program}")).collect();
    assert_none(&broken, "A machine need not have this program:");
}

/// The lints `unsafe_code` and `allow_attributes` say so too, but not within macros.
#[test]
fn lints_are_expected_with_a_reason_and_nothing_is_unsafe() {
    let broken = rust_files("src").into_iter().flat_map(|file| {
        let text = text(&file).unwrap_or_default();
        let lines: Vec<String> =
            rules::unsafe_or_allow(&text).into_iter().map(|line| format!("{file}:{line}")).collect();
        lines
    });
    assert_none(&broken.collect::<Vec<_>>(), "Write #[expect(lint, reason = \"…\")], and no unsafe code:");
}

#[test]
fn logs_print_values_for_people() {
    let broken = rust_files("src").into_iter().flat_map(|file| {
        let lines = rules::debug_in_logs(&text(&file).unwrap_or_default()).into_iter();
        lines.map(|line| format!("{file}:{line}")).collect::<Vec<_>>()
    });
    assert_none(&broken.collect::<Vec<_>>(), "Log values by Display (%value), not by Debug (?value):");
}

#[test]
fn debug_output_in_a_log_statement_is_found() {
    let text = "fn f() {\n    tracing::info!(took = ?d, \"really?\", id = %g(h()?));\n    tracing::warn!(\n        \
                %a, state = ?s.state,\n        ?b, \"{c}\");\n    other!(?x);\n}\n";
    assert_eq!(rules::debug_in_logs(text), [4, 5]);
}
