//! All keys, and what is wrong with a name that is none.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::root::Config;
use super::section::{Key, Setting as _};
use crate::domain::nearest::nearest;

/// All keys, derived from the types of [`Config`].
pub(super) static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut keys = Vec::new();
    Config::keys("", &mut keys);
    keys
});

/// All keys, for the reference.
pub fn keys() -> &'static [Key] {
    &KEYS
}

impl Key {
    /// What follows in its name after `path`; `None` if it begins with something else.
    fn after<S: AsRef<str>>(&self, path: &[S]) -> Option<std::str::Split<'_, char>> {
        let mut parts = self.name.split('.');
        let begins =
            path.iter().all(|name| parts.next().is_some_and(|part| part == "*" || part == name.as_ref()));
        begins.then_some(parts)
    }
}

/// The key at this path.
pub(super) fn find_key<S: AsRef<str>>(path: &[S]) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.after(path).is_some_and(|mut rest| rest.next().is_none()))
}

/// The message for a key that does not exist.
pub(super) fn unknown(path: &[String]) -> String {
    let bare = |key: &str| key.replace(['.', '-', '_'], "");
    let given = bare(&path.join("."));
    let alike = KEYS.iter().map(|key| key.name.as_str()).find(|key| {
        let key = bare(key);
        key == given || (key.len() > 6 && (given.starts_with(&key) || key.starts_with(&given)))
    });
    if let Some(key) = alike.filter(|_| given.len() > 6) {
        return format!("is not a key; did you mean {key}?");
    }
    // `*` stands for a name that the operator chose.
    let known = KEYS.iter().map(|key| {
        let parts = key.name.split('.').enumerate();
        let part = |(n, part): (usize, &str)| match (part, path.get(n)) {
            ("*", Some(name)) => name.clone(),
            _ => part.to_owned(),
        };
        parts.map(part).collect::<Vec<_>>().join(".")
    });
    if let Some(key) = nearest(&path.join("."), known) {
        return format!("is not a key; did you mean {key}?");
    }
    if let [section] = path {
        let sections: BTreeSet<&str> = KEYS.iter().filter_map(|key| key.name.split('.').next()).collect();
        if let Some(section) = nearest(section, sections) {
            let keys = KEYS.iter().filter_map(|key| key.after(&[section])?.next());
            let keys: BTreeSet<&str> = keys.collect();
            let keys: Vec<String> = keys.into_iter().map(|key| format!("{section}.{key}")).collect();
            return format!("is not a key; did you mean one of {}?", keys.join(", "));
        }
    }
    let section = path.split_last().map_or(path, |(_, section)| section);
    let mut known: Vec<&str> = KEYS.iter().filter_map(|key| key.after(section)?.next()).collect();
    known.dedup();
    format!("is not a key; known here: {}", known.join(", "))
}
