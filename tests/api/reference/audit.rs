//! The actions of the audit log, and the kinds of resources they are about: as the services name them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::source::{calls, files, quoted};
use super::{assert_page, code, table};

const INTRO: &str = "Every write through the API or the command line, allowed or refused, leaves an entry. `GET /audit-logs` and `streamward \
audit list` filter by `action` and `resource_type`. A refused write has the same action, the outcome `failure`, and the reason. Decisions \
of `/auth` are counted: one entry for equal ones. `POST /audit-events` adds entries with actions of your own, which are marked as told \
(`metadata.told_by`).";

/// The constants that name a kind of resource, by the folder of their file and by the file itself.
fn kinds(all: &[(std::path::PathBuf, String)]) -> BTreeMap<String, String> {
    let mut kinds = BTreeMap::new();
    for (path, text) in all {
        for part in text.split("const ").skip(1) {
            let Some((name, rest)) = part.split_once(": &str = \"") else { continue };
            let Some((value, _)) = rest.split_once('"') else { continue };
            if !name.contains(char::is_whitespace) && !name.contains(':') {
                kinds.insert(format!("{} {name}", path.display()), value.to_owned());
                let folder = path.parent().unwrap_or(Path::new(""));
                let of_folder = kinds.entry(format!("{} {name}", folder.display()));
                let of_folder = of_folder.or_insert_with(|| value.to_owned());
                if path.ends_with("mod.rs") {
                    value.clone_into(of_folder);
                }
            }
        }
    }
    kinds
}

/// Texts in brackets with an actor's reason: `("start", reason)`.
fn orders(text: &str) -> Vec<String> {
    let by_word = text.split("(\"").skip(1).filter_map(|part| part.split_once("\", reason)"));
    let chosen = text.split("let action = if ").skip(1).filter_map(|part| part.split_once(';'));
    let chosen = chosen.flat_map(|(part, _)| part.split('"').skip(1).step_by(2).map(str::to_owned));
    by_word.map(|(word, _)| word.to_owned()).chain(chosen).collect()
}

#[test]
fn audit_actions() {
    let all = files("app");
    let kinds = kinds(&all);
    let mut actions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |kind: &str, action: &str| {
        actions.entry(kind.to_owned()).or_default().insert(action.to_owned());
    };
    for (path, text) in &all {
        for arguments in calls(text, "core.entry(") {
            let [_, action, kind] = arguments[..] else { panic!("{}: {arguments:?}", path.display()) };
            let folder = path.parent().unwrap_or(Path::new(""));
            let of = |place: &Path| kinds.get(&format!("{} {kind}", place.display()));
            let kind = quoted(kind).or_else(|| of(path).or_else(|| of(folder)).map(String::as_str));
            match (quoted(action), kind) {
                (Some(action), Some(kind)) => add(kind, action),
                // A refused request: its action and resource are those of the route.
                (None, None) if path.ends_with("audit.rs") => {}
                (None, Some(kind)) if path.ends_with("studio/orders.rs") => {
                    let words = orders(text);
                    assert!(words.len() >= 5, "{words:?}");
                    words.iter().for_each(|word| add(kind, word));
                }
                _ => panic!("{}: the action or resource of {arguments:?} is not known", path.display()),
            }
        }
        for part in text.split("action: \"").skip(1) {
            let Some((action, rest)) = part.split_once('"') else { continue };
            if let Some((_, kind)) = rest.split_once("resource_type: Some(\"") {
                add(kind.split('"').next().unwrap_or_default(), action);
            }
        }
    }
    assert!(actions["stream_key"].contains("publish") && actions["user"].contains("sign_in"), "{actions:?}");
    let rows = actions.iter().map(|(kind, actions)| {
        let actions: Vec<String> = actions.iter().map(|action| code(action)).collect();
        [code(kind), actions.join(", ")]
    });
    let text = format!("{INTRO}\n\n{}", table(["Resource", "Actions"], rows));
    assert_page("audit.md", "Audit actions", &text);
}
