//! Which channels share a connection. A channel keeps its connection for as long as it is wanted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::streamer::ChannelId;

/// Identifies a connection. Never used again after the connection was closed.
pub(super) type Slot = u64;

/// The channels of each connection.
#[derive(Debug)]
pub(super) struct Plan {
    most: usize,
    slots: BTreeMap<Slot, BTreeSet<ChannelId>>,
    places: HashMap<ChannelId, Slot>,
    next: Slot,
}

impl Plan {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), slots: BTreeMap::new(), places: HashMap::new(), next: 0 }
    }

    /// Replaces the wanted channels. Returns the connections that change, with their channels; one without channels is
    /// to be closed.
    pub(super) fn update(&mut self, wanted: &BTreeSet<ChannelId>) -> BTreeMap<Slot, BTreeSet<ChannelId>> {
        let mut changed = BTreeSet::new();
        for (channel, slot) in self.places.extract_if(|channel, _| !wanted.contains(channel)) {
            self.slots.entry(slot).or_default().remove(&channel);
            changed.insert(slot);
        }
        let free = self.slots.iter().rev().filter(|(_, here)| here.len() < self.most);
        let mut free: Vec<Slot> = free.map(|(slot, _)| *slot).collect();
        for channel in wanted {
            if self.places.contains_key(channel) {
                continue;
            }
            let slot = free.last().copied().unwrap_or_else(|| {
                self.next += 1;
                free.push(self.next);
                self.next
            });
            let here = self.slots.entry(slot).or_default();
            here.insert(*channel);
            if here.len() >= self.most {
                free.pop();
            }
            self.places.insert(*channel, slot);
            changed.insert(slot);
        }
        let now = |slot| (slot, self.slots.get(&slot).cloned().unwrap_or_default());
        let changed = changed.into_iter().map(now).collect();
        self.slots.retain(|_, here| !here.is_empty());
        changed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn channels(numbers: impl IntoIterator<Item = u64>) -> BTreeSet<ChannelId> {
        numbers.into_iter().map(|n| ChannelId::new(n).unwrap()).collect()
    }

    #[test]
    fn ten_thousand_channels_take_forty_connections() {
        let mut plan = Plan::new(250);
        let changed = plan.update(&channels(1..=10_000));
        assert_eq!(changed.len(), 40);
        assert!(changed.values().all(|here| here.len() == 250));
    }

    #[test]
    fn connection_without_channels_is_closed() {
        let mut plan = Plan::new(2);
        plan.update(&channels(1..=4));
        assert_eq!(plan.update(&channels([1, 2, 3])), BTreeMap::from([(2, channels([3]))]));
        assert_eq!(plan.update(&channels([3])), BTreeMap::from([(1, BTreeSet::new())]));
        // New channels take the free places first.
        assert_eq!(plan.update(&channels([3, 9])), BTreeMap::from([(2, channels([3, 9]))]));
        assert_eq!(plan.update(&channels([3, 9, 10])), BTreeMap::from([(3, channels([10]))]));
    }

    proptest! {
        #[test]
        fn wanted_channel_keeps_its_connection(
            steps in prop::collection::vec(prop::collection::btree_set(1_u64..40, 0..30), 1..12)
        ) {
            let mut plan = Plan::new(5);
            let mut known: BTreeMap<Slot, BTreeSet<ChannelId>> = BTreeMap::new();
            for step in steps {
                let (before, wanted) = (plan.places.clone(), channels(step));
                for (slot, here) in plan.update(&wanted) {
                    known.insert(slot, here);
                }
                known.retain(|_, here| !here.is_empty());
                for channel in &wanted {
                    prop_assert!(before.get(channel).is_none_or(|slot| plan.places.get(channel) == Some(slot)));
                }
                let placed: BTreeSet<_> = known.values().flatten().copied().collect();
                prop_assert_eq!(&placed, &wanted);
                prop_assert_eq!(known.values().map(BTreeSet::len).sum::<usize>(), wanted.len());
                prop_assert!(known.values().all(|here| here.len() <= 5));
                prop_assert_eq!(&known, &plan.slots);
            }
        }
    }
}
