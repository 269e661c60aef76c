//! What stream keys say about who may watch their paths, in memory: 16 bytes for each key.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use crate::domain::OrganizationId;
use crate::domain::playback::{PathRule, PlaybackAccess};

/// What is known of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) organization: OrganizationId,
    pub(super) access: Option<PlaybackAccess>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// A fingerprint of the path.
    path: u64,
    /// Its place in the list of organizations.
    organization: u32,
    access: Option<PlaybackAccess>,
}

/// The rules of all paths.
#[derive(Debug, Default)]
pub(super) struct PathRules {
    hasher: RandomState,
    /// In order of their paths.
    loaded: Vec<Entry>,
    changed: HashMap<u64, Entry>,
    organizations: Vec<OrganizationId>,
}

impl PathRules {
    /// Rules in the order in which the keys were made: the last key of a path counts.
    pub(super) fn load(&mut self, page: &[PathRule]) {
        for rule in page {
            let entry = self.entry(rule);
            self.loaded.push(entry);
        }
    }

    /// All rules are loaded.
    pub(super) fn finish(&mut self) {
        self.loaded.sort_by_key(|entry| entry.path);
        self.loaded.reverse();
        // Now the last of equal ones is the first of them, which stays.
        self.loaded.dedup_by_key(|entry| entry.path);
        self.loaded.reverse();
        self.loaded.shrink_to_fit();
    }

    /// A key was made or changed. Only a usable one can be, so it is the one that counts.
    pub(super) fn change(&mut self, rule: &PathRule) {
        let entry = self.entry(rule);
        self.changed.insert(entry.path, entry);
    }

    pub(super) fn find(&self, path: &str) -> Option<Rule> {
        let path = self.hasher.hash_one(path);
        let loaded = || self.loaded.binary_search_by_key(&path, |entry| entry.path).ok();
        let entry = self.changed.get(&path).or_else(|| self.loaded.get(loaded()?))?;
        let organization = *self.organizations.get(entry.organization as usize)?;
        Some(Rule { organization, access: entry.access })
    }

    fn entry(&mut self, rule: &PathRule) -> Entry {
        let known = self.organizations.iter().rposition(|known| *known == rule.organization_id);
        let organization = known.unwrap_or_else(|| {
            self.organizations.push(rule.organization_id);
            self.organizations.len() - 1
        });
        let organization = u32::try_from(organization).unwrap_or(u32::MAX);
        Entry { path: self.hasher.hash_one(rule.path.as_str()), organization, access: rule.access }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::StreamKeyId;
    use crate::domain::path::StreamPath;

    fn rule(path: &str, organization: u128, access: Option<PlaybackAccess>) -> PathRule {
        PathRule {
            id: StreamKeyId(Uuid::nil()),
            path: StreamPath::parse(path).unwrap(),
            organization_id: OrganizationId(Uuid::from_u128(organization)),
            access,
        }
    }

    #[test]
    fn last_key_of_a_path_counts() {
        let (token, public) = (Some(PlaybackAccess::Token), Some(PlaybackAccess::Public));
        let mut rules = PathRules::default();
        rules.load(&[rule("a", 1, token), rule("b", 2, None), rule("a", 3, public)]);
        rules.load(&[rule("c", 1, None), rule("b", 2, token)]);
        rules.finish();
        let find = |rules: &PathRules, path| {
            rules.find(path).map(|rule| (rule.organization.0.as_u128(), rule.access))
        };
        assert_eq!(find(&rules, "a"), Some((3, public)));
        assert_eq!(find(&rules, "b"), Some((2, token)));
        assert_eq!(find(&rules, "c"), Some((1, None)));
        assert_eq!(find(&rules, "d"), None);
        rules.change(&rule("a", 4, token));
        rules.change(&rule("d", 4, None));
        assert_eq!((find(&rules, "a"), find(&rules, "d")), (Some((4, token)), Some((4, None))));
    }

    #[test]
    fn a_million_keys_take_16_mb() {
        assert_eq!(size_of::<Entry>(), 16);
    }
}
