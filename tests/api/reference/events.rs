//! The topics, and the kinds of events of each.

use std::collections::BTreeMap;

use streamward::domain::event::Topic;
use syn::{Item, ItemEnum, LitStr};

use super::source::{doc, files};
use super::{assert_page, code, table};

const INTRO: &str = "Every change is an event in an ordered log, written in the same transaction as the change. `GET /events` (and \
`/streams/events` and so on, of one topic) streams them as server-sent events: `event` is the name below, `id` the number in the log; \
`Last-Event-ID` resumes after it, on any instance. `GET /event-log` reads what is kept (`events.retention`). \
[Notifications](../notifications.md) tell somebody of them.";

/// Names and meanings of the variants.
fn kinds(of: &ItemEnum) -> Vec<(String, String)> {
    let variants = of.variants.iter().map(|variant| {
        let mut name = None;
        for attribute in variant.attrs.iter().filter(|one| one.path().is_ident("strum")) {
            let read = attribute.parse_nested_meta(|meta| {
                name = Some(meta.value()?.parse::<LitStr>()?.value());
                Ok(())
            });
            read.expect("strum(serialize = …)");
        }
        (name.unwrap_or_else(|| panic!("{} has no name", variant.ident)), doc(&variant.attrs))
    });
    variants.collect()
}

#[test]
fn events() {
    let mut by_topic: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (path, text) in files("domain/event") {
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let enums = file.items.iter().filter_map(|item| match item {
            Item::Enum(one) if one.ident.to_string().ends_with("EventKind") => Some(one),
            _ => None,
        });
        for (name, about) in enums.flat_map(kinds) {
            let topic = name.split('.').next().unwrap_or_default().to_owned();
            by_topic.entry(topic).or_default().push((name, about));
        }
    }
    let mut text = INTRO.to_owned();
    for topic in Topic::ALL {
        // The events of destinations are events of channels.
        let of = |name: &str| by_topic.get(name).cloned().unwrap_or_default();
        let mut kinds = of(topic.as_str());
        if *topic == Topic::Channel {
            kinds.extend(of("destination"));
        }
        assert!(!kinds.is_empty(), "{topic} has no events");
        let rows = kinds.into_iter().map(|(name, about)| [code(&name), about]);
        text += &format!("\n\n## {topic}\n\n{}", table(["Event", "Meaning"], rows).trim());
    }
    let named = by_topic.values().map(Vec::len).sum::<usize>();
    assert_eq!(text.matches("\n| `").count(), named, "an event has a topic that is not known here");
    assert_page("events.md", "Events", &text);
}
