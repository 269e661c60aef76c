//! The checker itself: every way to walk around a rule is caught.

use crate::circles::circles;
use crate::rules;
use crate::slices::{AllowedImport, between_slices};
use crate::source::Modules;

/// A small crate: the layers, and these files instead of empty ones.
fn crate_of(files: &[(&str, &str)]) -> Modules {
    const EMPTY: [(&str, &str); 16] = [
        ("src/lib.rs", "pub mod domain; pub mod ports; pub mod app; pub mod adapters; pub mod runtime;"),
        ("src/domain/mod.rs", "pub mod stream; pub mod stream_key; pub mod event;"),
        ("src/domain/stream.rs", "pub struct Stream;"),
        ("src/domain/stream_key.rs", "pub struct StreamKey;"),
        ("src/domain/event.rs", "pub struct Event;"),
        ("src/ports/mod.rs", "pub trait Store {}"),
        ("src/app/mod.rs", "pub mod stream; pub mod stream_key; pub mod events;"),
        ("src/app/stream.rs", "pub struct Streams; pub struct Draft;"),
        ("src/app/stream_key.rs", ""),
        ("src/app/events.rs", ""),
        ("src/adapters/mod.rs", "pub mod http; pub mod sql; pub mod remote;"),
        ("src/adapters/http/mod.rs", "mod streams;"),
        ("src/adapters/http/streams.rs", ""),
        ("src/adapters/sql.rs", "pub struct SqlStore; pub fn open() {}"),
        ("src/adapters/remote.rs", "pub fn read() {}"),
        ("src/runtime.rs", ""),
    ];
    let read = |file: &str| {
        let all = files.iter().chain(&EMPTY);
        all.into_iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).to_owned())
    };
    Modules::read("src/lib.rs", &read).unwrap_or_else(|error| panic!("{error}"))
}

/// Every way to name `SqlStore` of `adapters::sql`, or the module itself, from two levels below the crate's root.
const WAYS: [&str; 26] = [
    "use crate::adapters::sql::SqlStore;",
    "use crate::adapters::{http, sql};",
    "use crate::{domain::stream::Stream, adapters::{sql::{self, SqlStore}}};",
    "use crate::{adapters as outside}; fn f() { outside::sql::open() }",
    "use crate::adapters::sql as store;",
    "use crate::adapters::sql::*;",
    "use crate::adapters::*; fn f() { sql::open() }",
    "use crate as root; fn f() { root::adapters::sql::open() }",
    "use crate::{self as root}; use root::adapters::sql;",
    "use super::super::adapters::sql;",
    "use super::super::{adapters::sql::SqlStore as _};",
    "use streamward::adapters::sql;",
    "extern crate self as house; use house::adapters::sql;",
    "pub(crate) use crate::adapters::sql::SqlStore;",
    "struct S(crate::adapters::sql::SqlStore);",
    "fn f() { crate::adapters::sql::open(); }",
    "fn f() -> Vec<Option<super::super::adapters::sql::SqlStore>> { Vec::new() }",
    "fn f() { use crate::adapters::sql::open; open() }",
    "impl crate::ports::Store for crate::adapters::sql::SqlStore {}",
    "fn f() { println!(\"{:?}\", crate::adapters::sql::open()); }",
    "macro_rules! m { () => { $crate::adapters::sql::open() } }",
    "fn f() { vec![{ use crate::{adapters::sql}; sql::open() }]; }",
    "#[serde(with = \"crate::adapters::sql\")] struct S;",
    "#[derive(crate::adapters::sql::Row)] struct S;",
    "mod inner { use super::super::super::adapters::sql; }",
    "#[cfg(test)] mod tests { use crate::adapters::sql; }",
];

#[test]
fn every_way_to_name_a_module_is_seen() {
    for way in WAYS {
        for (file, rule) in [
            ("src/domain/stream.rs", rules::against_layers as fn(&Modules) -> Vec<String>),
            ("src/app/stream.rs", rules::against_layers),
            ("src/adapters/http/streams.rs", rules::between_adapters),
        ] {
            // One more level down.
            let way = if file.contains("http") {
                way.replace("super::super", "super::super::super")
            } else {
                way.into()
            };
            let broken = rule(&crate_of(&[(file, &way)]));
            assert!(broken.iter().any(|place| place.starts_with(file)), "{file}: {way} is not caught");
        }
    }
}

#[test]
fn code_after_the_tests_of_a_file_is_seen() {
    let text = "#[cfg(test)] mod tests {}\nuse crate::adapters::sql;";
    assert_eq!(
        rules::against_layers(&crate_of(&[("src/domain/stream.rs", text)])),
        ["src/domain/stream.rs:2: crate::adapters::sql"]
    );
}

#[test]
fn comments_texts_and_names_that_only_look_alike_are_no_imports() {
    let text = "//! [`crate::adapters::sql`]\n/// crate::adapters::sql\nfn f(adapters: u8, sql: u8) {\n\
                // use crate::adapters::sql;\n let _ = (\"crate::adapters::sql\", adapters, sql); }\n\
                mod adapters { pub mod sql { pub fn open() {} } } fn g() { adapters::sql::open() }\n\
                pub(in crate::domain) fn h() {}";
    assert_eq!(rules::against_layers(&crate_of(&[("src/domain/stream.rs", text)])), [""; 0]);
}

#[test]
fn a_reexport_does_not_hide_where_a_name_comes_from() {
    for reexport in [
        "pub mod http; pub mod remote; pub mod sql; pub use sql::SqlStore;",
        "pub mod http; pub mod remote; pub mod sql; pub use sql::*;",
        "pub mod http; pub mod remote; pub mod sql; pub use self::{sql::{SqlStore as Other}}; pub use Other as SqlStore;",
    ] {
        let modules = crate_of(&[
            ("src/adapters/mod.rs", reexport),
            ("src/adapters/http/streams.rs", "fn f(_: crate::adapters::SqlStore) {}"),
        ]);
        let broken = rules::between_adapters(&modules);
        assert!(broken.iter().any(|place| place.starts_with("src/adapters/http/")), "{reexport}: {broken:?}");
    }
}

#[test]
fn shared_parts_of_adapters_may_be_imported_but_import_no_adapter() {
    let fine = crate_of(&[("src/adapters/sql.rs", "use super::remote::read;")]);
    assert_eq!(rules::between_adapters(&fine), [""; 0]);
    let broken = crate_of(&[("src/adapters/remote.rs", "use super::sql;")]);
    assert_eq!(rules::between_adapters(&broken).len(), 1);
    let tests = |text: &str| {
        let adapters = "pub mod http; pub mod sql; pub mod remote; pub mod memory;";
        let files = [
            ("src/adapters/mod.rs", adapters),
            ("src/adapters/memory.rs", ""),
            ("src/adapters/sql.rs", text),
        ];
        rules::between_adapters(&crate_of(&files)).len()
    };
    assert_eq!(tests("#[cfg(test)] mod tests { use super::super::memory; }"), 0, "it is made for tests");
    assert_eq!(tests("mod tests { use super::super::memory; }"), 1);
    let app = |text: &str| {
        let adapters = "pub mod http; pub mod sql; pub mod remote; pub mod memory;";
        let files =
            [("src/adapters/mod.rs", adapters), ("src/adapters/memory.rs", ""), ("src/app/stream.rs", text)];
        rules::against_layers(&crate_of(&files)).len()
    };
    assert_eq!(app("#[cfg(test)] mod tests { use crate::adapters::memory; }"), 0);
    assert_eq!(app("use crate::adapters::memory;"), 1);
}

#[test]
fn outbound_adapters_do_not_call_use_cases() {
    let text = "use crate::app::stream::Streams;";
    assert_eq!(rules::against_layers(&crate_of(&[("src/adapters/sql.rs", text)])).len(), 1);
    assert_eq!(rules::against_layers(&crate_of(&[("src/adapters/http/streams.rs", text)])), [""; 0]);
}

#[test]
fn every_way_to_name_a_crate_is_seen() {
    for way in [
        "use sqlx::Row;",
        "use sqlx as db;",
        "use sqlx;",
        "use ::sqlx::Row;",
        "use {std::fmt, sqlx::{self as db}};",
        "extern crate sqlx as db;",
        "fn f() -> sqlx::Row { todo!() }",
        "#[derive(sqlx::FromRow)] struct S;",
        "fn f() { vec![sqlx::query(\"\")]; }",
        "mod tests { use some_new_crate::Client; }",
        "use std::fs;",
        "use std as rust; fn f() { rust::fs::read(\"\"); }",
        "use tokio::{sync::Mutex, net::TcpStream};",
        "fn f() { std::time::Instant::now(); }",
        "use std::time::{self}; fn f() { time::SystemTime::now(); }",
        "fn f() { chrono::Utc::now(); }",
        "use std::net::{IpAddr, TcpStream};",
    ] {
        for file in ["src/domain/stream.rs", "src/ports/mod.rs", "src/app/stream.rs"] {
            assert!(!rules::crates_of_inner_layers(&crate_of(&[(file, way)])).is_empty(), "{file}: {way}");
        }
    }
    let fine =
        "use std::net::IpAddr; use std::time::Duration; use chrono::{DateTime, Utc}; use serde::Serialize;";
    assert_eq!(rules::crates_of_inner_layers(&crate_of(&[("src/app/stream.rs", fine)])), [""; 0]);
    let http = crate_of(&[("src/adapters/http/streams.rs", "use sqlx as db;")]);
    assert_eq!(rules::crates_of_inbound_adapters(&http).len(), 1);
}

#[test]
fn waiting_is_seen_within_macros_too() {
    assert_eq!(rules::async_or_await("fn f() {}\nasync fn g() {}\nfn h() { m!(x.await) }"), [2, 3]);
    assert_eq!(rules::async_or_await("// async\nfn f() { \"await\"; }"), [0; 0]);
    let tokio = crate_of(&[("src/domain/stream.rs", "use tokio::time::sleep;")]);
    assert_eq!(rules::tokio_in_domain(&tokio).len(), 1);
    let text = "// unsafe\n#[allow(dead_code)]\nfn f() { m!(unsafe {}) }\n#![cfg_attr(x, allow(y))]\nfn g() { allow() }";
    assert_eq!(rules::unsafe_or_allow(text), [2, 3, 4]);
}

#[test]
fn programs_are_found_wherever_they_are_called() {
    let text = "fn f() { Command::new(\"kill\"); }\nfn g() { m!(std::process::Command::new(\"curl\").arg(1)) }\n\
                // Command::new(\"x\")\nfn h() { Command::new(path); }";
    assert_eq!(rules::programs(text), [(1, "kill".to_owned()), (2, "curl".to_owned())]);
}

#[test]
fn slices_meet_in_services_and_events_only() {
    let of = |text: &str, allowed: &[AllowedImport]| {
        between_slices(&crate_of(&[("src/app/stream_key.rs", text)]), allowed)
    };
    let none: (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    assert_eq!(of("use super::stream::Streams; use super::events;", &[]), none);
    assert_eq!(of("use crate::domain::stream::Stream;", &[]), none, "another layer");
    for way in ["use super::stream::Draft;", "fn f(_: crate::app::stream::Draft) {}", "use super::stream::*;"]
    {
        assert_eq!(of(way, &[]).0.len(), 1, "{way}");
    }
    let allowed = || AllowedImport { part: "app", from: "stream_key", to: "stream", reason: "a test" };
    assert_eq!(of("use super::stream::Draft;", &[allowed()]), none);
    let (broken, unused) = of("", &[allowed()]);
    assert_eq!((broken.len(), unused.len()), (0, 1), "an entry must be needed");
}

#[test]
fn circles_are_found_at_every_level() {
    let names = |files: &[(&str, &str)]| -> Vec<String> {
        circles(&crate_of(files)).into_iter().map(|circle| circle.name).collect()
    };
    assert_eq!(names(&[]), [""; 0]);
    // Two files, one of them by a path in code.
    assert_eq!(
        names(&[
            ("src/app/stream.rs", "use super::stream_key::f; pub fn g() {}"),
            ("src/app/stream_key.rs", "pub fn f() { crate::app::stream::g() }"),
        ]),
        ["app: stream, stream_key"]
    );
    // Three files.
    assert_eq!(
        names(&[
            ("src/app/stream.rs", "use super::events;"),
            ("src/app/events.rs", "use super::stream_key;"),
            ("src/app/stream_key.rs", "use super::stream;"),
        ]),
        ["app: events, stream, stream_key"]
    );
    // A folder and a file, although no two files import each other.
    assert_eq!(
        names(&[
            ("src/adapters/http/mod.rs", "mod streams; mod keys;"),
            ("src/adapters/http/streams.rs", "use crate::adapters::sql::open;"),
            ("src/adapters/http/keys.rs", "pub fn f() {}"),
            ("src/adapters/sql.rs", "pub fn open() {} use super::http::keys::f;"),
        ]),
        ["adapters: http, sql"]
    );
    // A folder's own file and a file in it.
    let own = |text: &str| {
        names(&[
            ("src/adapters/http/mod.rs", text),
            ("src/adapters/http/streams.rs", "use super::Api; pub fn f() {}"),
        ])
    };
    assert_eq!(own("mod streams; pub struct Api; fn g() { streams::f() }"), ["adapters/http: mod.rs"]);
    assert_eq!(
        own("mod streams; pub use streams::f; pub struct Api; fn g() { f() }"),
        ["adapters/http: mod.rs"]
    );
    assert_eq!(own("mod streams; pub use streams::f; pub struct Api;"), [""; 0], "a re-export is no import");
    // Tests may use what uses them.
    assert_eq!(
        names(&[
            ("src/app/stream.rs", "use super::stream_key; #[cfg(not(test))] fn f() {}"),
            ("src/app/stream_key.rs", "#[cfg(all(test, unix))] mod tests { use crate::app::stream; }"),
        ]),
        [""; 0]
    );
}

#[test]
fn modules_are_found_where_rust_finds_them() {
    let modules = crate_of(&[
        ("src/runtime.rs", "mod worker; #[path = \"other.rs\"] mod tests; mod inline { mod deep; }"),
        ("src/runtime/worker.rs", "use super::super::adapters::sql;"),
        ("src/other.rs", "use super::worker;"),
        ("src/runtime/inline/deep.rs", ""),
    ]);
    for file in ["src/runtime/worker.rs", "src/other.rs", "src/runtime/inline/deep.rs"] {
        assert!(modules.files.contains(file), "{file}");
    }
}
