//! Updates a mediamtx.yml that a person may have edited: sets the keys that Streamward needs and keeps all else, comments
//! included.
//!
//! Edits are made in the text, at the places that a YAML parser gives. The result is parsed and compared again, so an
//! unusual file is refused instead of damaged.

use std::ops::Range;
use std::slice::SliceIndex;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Keys that Streamward writes once, and that are then the person's.
const PREFERENCES: [&str; 8] = ["logLevel", "rtmp", "rtsp", "rtspTransports", "srt", "hls", "webrtc", "moq"];
/// The names of the hooks, old and new, for each of the two events.
const HOOKS: [[&str; 2]; 2] = [["runOnReady", "runOnAvailable"], ["runOnNotReady", "runOnUnavailable"]];
const DEFAULTS: &str = "pathDefaults";
const PATHS: &str = "paths";
const NOT_KEYS: &str = "it is not one document with keys, one a line";

/// An updated file.
#[derive(Debug)]
pub struct Merged {
    /// The text.
    pub text: String,
    /// The keys that were set or removed.
    pub changed: Vec<String>,
    /// Hooks that are commands of the person, so ours are not there.
    pub own_hooks: Vec<String>,
}

/// Merges the file as it is with the one that Streamward would write. An error says what prevents it.
pub fn merge(existing: &str, generated: &str) -> Result<Merged, String> {
    let (theirs, ours) = (Map::parse(existing)?, Map::parse(generated)?);
    let mut edits = Edits { text: existing, edits: Vec::new(), changed: Vec::new(), own_hooks: Vec::new() };
    let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    edits.replace(0..first_line(existing).len(), first_line(generated));
    edits.remove_our_doubles(&theirs, &ours)?;
    for entry in &ours.0 {
        let source = cut(generated, entry.key_range.start..entry.value.range.end);
        match theirs.get(&entry.key) {
            None if entry.key == DEFAULTS => {}
            None => edits.append(&entry.key, source),
            Some(_) if [DEFAULTS, PATHS].contains(&entry.key.as_str()) => {}
            Some(_) if PREFERENCES.contains(&entry.key.as_str()) => {}
            Some(own) if own.value == entry.value => {}
            Some(own) => {
                let value = cut(generated, entry.value.range.clone());
                edits.set(&entry.key, own, value);
            }
        }
    }
    if let (Some(moq), None) = (theirs.get("moq"), ours.get("moq"))
        && moq.value.kind == Kind::Scalar("no".to_owned())
    {
        // Older versions refuse a file that mentions it.
        edits.remove("moq", moq);
    }
    if let Some(paths) = theirs.get(PATHS).filter(|paths| paths.value.kind == Kind::Null) {
        edits.insert(PATHS, paths.value.range.end, "\n  all_others:".to_owned());
    }
    edits.hooks(&theirs, &ours, generated)?;
    let merged = edits.apply();
    check(&theirs, &ours, &Map::parse(&merged.text)?)?;
    Ok(merged)
}

/// A part of `text`. A place that is not one gives nothing, and the result does not pass [`check`].
fn cut(text: &str, part: impl SliceIndex<str, Output = str>) -> &str {
    text.get(part).unwrap_or_default()
}

/// Whether everything is as it should be: our keys are ours, and all others are the person's.
fn check(theirs: &Map, ours: &Map, merged: &Map) -> Result<(), String> {
    let wrong = |key: &str| Err(format!("{key} is written in a way that Streamward cannot change"));
    let hooks = HOOKS.concat();
    let rest = |map: &Map| -> Vec<Entry> {
        map.child(DEFAULTS).0.into_iter().filter(|entry| !hooks.contains(&entry.key.as_str())).collect()
    };
    if rest(theirs) != rest(merged) {
        return wrong(DEFAULTS);
    }
    for entry in &ours.0 {
        let is_theirs =
            [DEFAULTS, PATHS].contains(&entry.key.as_str()) || PREFERENCES.contains(&entry.key.as_str());
        if !is_theirs && merged.get(&entry.key) != Some(entry) {
            return wrong(&entry.key);
        }
    }
    for entry in &merged.0 {
        let key = entry.key.as_str();
        let is_ours = ours.get(key).is_some();
        if merged.0.iter().filter(|other| other.key == key).count() > 1 {
            return wrong(key);
        }
        if !is_ours && key != DEFAULTS && !theirs.0.contains(entry) {
            return wrong(key);
        }
        if PREFERENCES.contains(&key) && theirs.get(key).is_some() && !theirs.0.contains(entry) {
            return wrong(key);
        }
    }
    let lost = theirs.0.iter().find(|entry| merged.get(&entry.key).is_none() && entry.key != "moq");
    lost.map_or(Ok(()), |entry| wrong(&entry.key))
}

/// The edits of a text, and what they are about.
struct Edits<'a> {
    text: &'a str,
    edits: Vec<(Range<usize>, String)>,
    changed: Vec<String>,
    own_hooks: Vec<String>,
}

impl Edits<'_> {
    fn replace(&mut self, range: Range<usize>, with: String) {
        if cut(self.text, range.clone()) != with {
            self.edits.push((range, with));
        }
    }

    fn note(&mut self, key: &str) {
        if !self.changed.iter().any(|known| known == key) {
            self.changed.push(key.to_owned());
        }
    }

    fn set(&mut self, key: &str, entry: &Entry, value: &str) {
        self.note(key);
        self.replace(entry.key_range.end..entry.value.range.end, format!(": {value}"));
    }

    fn insert(&mut self, key: &str, at: usize, text: String) {
        self.note(key);
        self.edits.push((at..at, text));
    }

    fn append(&mut self, key: &str, entry: &str) {
        let end = self.text.len();
        let is_first = !self.edits.iter().any(|(range, _)| range.start == end && range.end == end);
        let before = if is_first && !self.text.ends_with('\n') { "\n" } else { "" };
        self.insert(key, end, format!("{before}{entry}\n"));
    }

    /// Removes the lines of an entry.
    fn remove(&mut self, key: &str, entry: &Entry) {
        self.note(key);
        let start = cut(self.text, ..entry.key_range.start).rfind('\n').map_or(0, |at| at + 1);
        let end = cut(self.text, entry.value.range.end..);
        let end = end.find('\n').map_or(self.text.len(), |at| entry.value.range.end + at + 1);
        self.edits.push((start..end, String::new()));
    }

    /// A person may write `hls: no` below our `hls: yes`. MediaMTX refuses a key that is there twice.
    fn remove_our_doubles(&mut self, theirs: &Map, ours: &Map) -> Result<(), String> {
        for (at, entry) in theirs.0.iter().enumerate() {
            let Some(first) = theirs.0[..at].iter().find(|other| other.key == entry.key) else { continue };
            let double = [first, entry].into_iter().find(|one| ours.0.contains(one));
            let double = double.ok_or_else(|| format!("the key {} is there twice: remove one", entry.key))?;
            self.remove(&entry.key, double);
        }
        Ok(())
    }

    fn hooks(&mut self, theirs: &Map, ours: &Map, generated: &str) -> Result<(), String> {
        let (own, our_hooks) = (theirs.get(DEFAULTS), ours.child(DEFAULTS));
        let source = |entry: &Entry| cut(generated, entry.key_range.start..entry.value.range.end);
        let defaults = theirs.child(DEFAULTS);
        let mut missing = Vec::new();
        for names in HOOKS {
            let ours = our_hooks.0.iter().find(|entry| names.contains(&entry.key.as_str()));
            let found = || defaults.0.iter().filter(|entry| names.contains(&entry.key.as_str()));
            if let Some(own) = found().find(|entry| !entry.is_our_hook()) {
                self.own_hooks.push(format!("{DEFAULTS}.{}", own.key));
                continue;
            }
            for entry in found() {
                match ours {
                    Some(ours) if ours.key == entry.key && ours.value == entry.value => {}
                    Some(ours) if ours.key == entry.key => {
                        self.set(&entry.key, entry, cut(generated, ours.value.range.clone()));
                    }
                    _ => self.remove(&entry.key, entry),
                }
            }
            missing.extend(ours.filter(|ours| !found().any(|entry| entry.key == ours.key)));
        }
        let (Some(first_missing), lines) = (missing.first(), missing.iter().map(|entry| source(entry)))
        else {
            return Ok(());
        };
        match own.map(|own| (own, &own.value.kind)) {
            None => {
                let lines: Vec<String> = lines.map(|line| format!("  {line}")).collect();
                self.append(DEFAULTS, &format!("{DEFAULTS}:\n{}", lines.join("\n")));
            }
            Some((own, Kind::Null)) => {
                let lines: String = lines.map(|line| format!("\n  {line}")).collect();
                self.insert(&first_missing.key, own.value.range.end, lines);
            }
            Some((own, Kind::Map(entries))) if !cut(self.text, own.value.range.start..).starts_with('{') => {
                let first = entries.0.first().map_or(own.value.range.end, |entry| entry.key_range.start);
                let line = cut(self.text, ..first).rfind('\n').map_or(0, |at| at + 1);
                let indent = " ".repeat(first - line);
                let lines: String = lines.map(|line| format!("{indent}{line}\n")).collect();
                self.insert(&first_missing.key, line, lines);
            }
            Some(_) => return Err(format!("{DEFAULTS} must be a block of keys, one a line")),
        }
        Ok(())
    }

    fn apply(mut self) -> Merged {
        // Stable: what is inserted at one place keeps its order.
        self.edits.sort_by_key(|(range, _)| range.start);
        let mut text = String::new();
        let mut done = 0;
        for (range, with) in self.edits {
            text.push_str(self.text.get(done..range.start).unwrap_or_default());
            text.push_str(&with);
            done = done.max(range.end);
        }
        text.push_str(cut(self.text, done..));
        Merged { text, changed: self.changed, own_hooks: self.own_hooks }
    }
}

/// A mapping, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
struct Map(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    key: String,
    key_range: Range<usize>,
    value: Node,
}

/// A value, and where it is in the text.
#[derive(Clone, Debug)]
struct Node {
    kind: Kind,
    range: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Map),
    Alias(usize),
}

/// Places do not count.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Entry {
    /// Whether its value is a hook command of Streamward.
    fn is_our_hook(&self) -> bool {
        match &self.value.kind {
            Kind::Scalar(command) => command.contains(" hook ready") || command.contains(" hook not-ready"),
            Kind::Null => true,
            _ => false,
        }
    }
}

impl Map {
    /// The mapping in a file with one document.
    fn parse(text: &str) -> Result<Self, String> {
        let offsets = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut reader = Reader { text, offsets, parser: Parser::new_from_str(text) };
        loop {
            match reader.next()? {
                (Event::StreamStart | Event::DocumentStart(_), _) => {}
                (event, span) => {
                    let root = reader.node(event, span)?;
                    return match (root.kind, reader.next()?.0, reader.next()?.0) {
                        (Kind::Map(map), Event::DocumentEnd, Event::StreamEnd)
                            if !cut(text, root.range.start..).starts_with('{') =>
                        {
                            Ok(map)
                        }
                        _ => Err(NOT_KEYS.to_owned()),
                    };
                }
            }
        }
    }

    fn get(&self, key: &str) -> Option<&Entry> {
        // Of doubles, ours is removed, and the last one is usually the person's.
        self.0.iter().rev().find(|entry| entry.key == key)
    }

    fn child(&self, key: &str) -> Self {
        match self.get(key).map(|entry| &entry.value.kind) {
            Some(Kind::Map(map)) => map.clone(),
            _ => Self::default(),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Where each character begins.
    offsets: Vec<usize>,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), String> {
        let next = self.parser.next().ok_or("it ends too early")?;
        next.map_err(|error| format!("line {}: {}", error.marker().line(), error.info()))
    }

    fn range(&self, span: Span) -> Range<usize> {
        let at = |index: usize| self.offsets.get(index).copied().unwrap_or(self.text.len());
        at(span.start.index())..at(span.end.index())
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, String> {
        let mut range = self.range(span);
        let is_flow = cut(self.text, range.start..).starts_with(['{', '[']);
        let kind = match event {
            Event::Scalar(_, ScalarStyle::Plain, _, None) if range.is_empty() => Kind::Null,
            Event::Scalar(text, ..) => Kind::Scalar(text.into_owned()),
            Event::Alias(id) => Kind::Alias(id),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, end) => break range.end = self.end(is_flow, end, items.last()),
                        (event, span) => items.push(self.node(event, span)?),
                    }
                }
                Kind::List(items)
            }
            Event::MappingStart(..) => {
                let mut entries: Vec<Entry> = Vec::new();
                loop {
                    match self.next()? {
                        (Event::MappingEnd, end) => {
                            range.end = self.end(is_flow, end, entries.last().map(|entry| &entry.value));
                            break;
                        }
                        (event, span) => entries.push(self.entry(event, span)?),
                    }
                }
                Kind::Map(Map(entries))
            }
            _ => return Err(NOT_KEYS.to_owned()),
        };
        Ok(Node { kind, range })
    }

    fn entry(&mut self, event: Event<'a>, span: Span) -> Result<Entry, String> {
        let key = self.node(event, span)?;
        let Kind::Scalar(name) = key.kind else { return Err("a key is not a text".to_owned()) };
        let (event, span) = self.next()?;
        let mut value = self.node(event, span)?;
        if value.kind == Kind::Null {
            // It is behind the colon, wherever the parser saw that it is absent.
            let colon = cut(self.text, key.range.end..).find(':').map_or(0, |at| at + 1);
            value.range = key.range.end..key.range.end + colon;
        }
        Ok(Entry { key: name, key_range: key.range, value })
    }

    /// Where a list or mapping ends: at its bracket, or with the last of it.
    fn end(&self, is_flow: bool, end: Span, last: Option<&Node>) -> usize {
        let end = self.range(end);
        last.filter(|_| !is_flow).map_or(end.end, |last| last.range.end)
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
