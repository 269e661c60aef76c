//! Slices: the vertical parts, such as `stream_key`, that have the same name in every layer.

use std::collections::BTreeSet;

use crate::resolve::Place;
use crate::source::Modules;

/// The places where slices lie side by side.
const PARTS: [&str; 8] = [
    "domain",
    "ports",
    "app",
    "adapters/http",
    "adapters/cli",
    "adapters/sql",
    "adapters/memory",
    "runtime/slices",
];

/// Modules that belong to a slice of another name.
const BELONGS_TO: [(&str, &str); 15] = [
    ("api_tokens", "access"),
    ("auth", "publish"),
    ("auth_failure", "publish"),
    ("auth_failures", "publish"),
    ("auth_rollup", "publish"),
    ("credentials", "publish"),
    ("destination", "channel"),
    ("destination_probe", "channel"),
    ("destinations", "channel"),
    ("programmes", "channel"),
    ("event_log", "event"),
    ("key_cache", "publish"),
    ("kick", "streamer"),
    ("status_feed", "streamer"),
    ("webhooks", "streamer"),
];

/// Modules that are in both layers, but that all slices share.
const NO_SLICES: [&str; 1] = ["secret"];

/// What a use-case of one slice may call of another.
const SERVICES: [&str; 16] = [
    "Access",
    "AuditLog",
    "AuthFailures",
    "Broadcasters",
    "Clips",
    "Events",
    "Health",
    "Hooks",
    "MediaServers",
    "Organizations",
    "PlaybackGuard",
    "PublishAuth",
    "StreamKeys",
    "Streamers",
    "Streams",
    "Users",
];

/// An import between slices that is allowed.
pub(crate) struct AllowedImport {
    /// One of [`PARTS`].
    pub(crate) part: &'static str,
    /// The importing slice, or `*` for any.
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) reason: &'static str,
}

/// Imports between slices that are not allowed, and allowed ones that there are none of.
pub(crate) fn between_slices(modules: &Modules, allowed: &[AllowedImport]) -> (Vec<String>, Vec<String>) {
    let slices = slices(modules);
    let mut broken = BTreeSet::new();
    let mut used = BTreeSet::new();
    for reference in modules.references() {
        let Place::Ours(to, item) = &reference.place else { continue };
        let (Some((part, from)), Some((part_of_it, to))) =
            (place(&reference.from.file_module, &slices), place(to, &slices))
        else {
            continue;
        };
        let is_service = part == "app" && item.as_deref().is_some_and(|item| SERVICES.contains(&item));
        if part != part_of_it || from == to || to == "event" || is_service || reference.is_test() {
            continue;
        }
        let entry = allowed.iter().position(|entry| {
            entry.part == part && (entry.from == from || entry.from == "*") && entry.to == to
        });
        match entry {
            Some(entry) => drop(used.insert(entry)),
            None => drop(broken.insert(format!("{part}: {from} -> {to}: {}", reference.at()))),
        }
    }
    let unused = allowed.iter().enumerate().filter(|(n, _)| !used.contains(n));
    let unused =
        unused.map(|(_, entry)| format!("{}: {} -> {} ({})", entry.part, entry.from, entry.to, entry.reason));
    (broken.into_iter().collect(), unused.collect())
}

/// A slice is what both the domain and the application have a module for, in the singular or the plural.
fn slices(modules: &Modules) -> BTreeSet<String> {
    let of = |layer: &str| -> BTreeSet<String> {
        modules
            .all
            .keys()
            .filter(|path| path.len() == 2 && path[0] == layer)
            .map(|path| path[1].clone())
            .collect()
    };
    let app = of("app");
    let is_slice = |name: &String| app.contains(name) || app.contains(&format!("{name}s"));
    of("domain").into_iter().filter(|name| is_slice(name) && !NO_SLICES.contains(&name.as_str())).collect()
}

/// The part that a module is in, and its slice. `None` for what all slices share.
fn place(module: &[String], slices: &BTreeSet<String>) -> Option<(&'static str, String)> {
    let path = module.join("/");
    PARTS.into_iter().find_map(|part| {
        let rest = path.strip_prefix(part)?.strip_prefix('/')?;
        let name = rest.split('/').next()?;
        if let Some((_, slice)) = BELONGS_TO.iter().find(|(other, _)| *other == name) {
            return Some((part, (*slice).to_owned()));
        }
        let is_of = |slice: &&String| {
            let rest = name.strip_prefix(slice.as_str());
            rest.is_some_and(|rest| {
                matches!(rest, "" | "s") || rest.starts_with('_') || rest.starts_with("s_")
            })
        };
        slices.iter().filter(is_of).max_by_key(|slice| slice.len()).map(|slice| (part, slice.clone()))
    })
}
