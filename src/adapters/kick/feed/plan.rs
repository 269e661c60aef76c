//! Which channels share a connection. Nothing is ever moved: a channel keeps its connection for as long as it is wanted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::streamer::ChannelId;

/// A connection's place. Never used again after it was closed.
pub(super) type Slot = u64;

/// Who is where.
#[derive(Debug)]
pub(super) struct Plan {
    most: usize,
    slots: BTreeMap<Slot, BTreeSet<ChannelId>>,
    places: HashMap<ChannelId, Slot>,
    next: Slot,
}

impl Plan {
    /// With at most `most` channels in one place.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), slots: BTreeMap::new(), places: HashMap::new(), next: 0 }
    }

    /// Takes what is wanted from now on. Returns the places that changed, with what is in them now; nothing if they are
    /// to be closed.
    pub(super) fn update(&mut self, wanted: &BTreeSet<ChannelId>) -> BTreeMap<Slot, BTreeSet<ChannelId>> {
        let mut changed = BTreeSet::new();
        let gone: Vec<_> = self.places.keys().filter(|channel| !wanted.contains(channel)).copied().collect();
        for channel in gone {
            if let Some(slot) = self.places.remove(&channel) {
                self.slots.entry(slot).or_default().remove(&channel);
                changed.insert(slot);
            }
        }
        let mut with_room: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, here)| here.len() < self.most)
            .map(|(slot, _)| *slot)
            .rev()
            .collect();
        for channel in wanted {
            if self.places.contains_key(channel) {
                continue;
            }
            let slot = with_room.last().copied().unwrap_or_else(|| {
                self.next += 1;
                with_room.push(self.next);
                self.next
            });
            let here = self.slots.entry(slot).or_default();
            here.insert(*channel);
            if here.len() >= self.most {
                with_room.pop();
            }
            self.places.insert(*channel, slot);
            changed.insert(slot);
        }
        let now = |slot: Slot| (slot, self.slots.get(&slot).cloned().unwrap_or_default());
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
    fn a_connection_without_channels_is_closed() {
        let mut plan = Plan::new(2);
        plan.update(&channels(1..=4));
        assert_eq!(plan.update(&channels([1, 2, 3])), BTreeMap::from([(2, channels([3]))]));
        assert_eq!(plan.update(&channels([3])), BTreeMap::from([(1, BTreeSet::new())]));
        // What comes next takes the room there is.
        assert_eq!(plan.update(&channels([3, 9])), BTreeMap::from([(2, channels([3, 9]))]));
        assert_eq!(plan.update(&channels([3, 9, 10])), BTreeMap::from([(3, channels([10]))]));
    }

    proptest! {
        #[test]
        fn whoever_stays_wanted_stays_in_place(
            steps in prop::collection::vec(prop::collection::btree_set(1_u64..40, 0..30), 1..12)
        ) {
            let mut plan = Plan::new(5);
            let mut believed: BTreeMap<Slot, BTreeSet<ChannelId>> = BTreeMap::new();
            for step in steps {
                let (before, wanted) = (plan.places.clone(), channels(step));
                for (slot, here) in plan.update(&wanted) {
                    believed.insert(slot, here);
                }
                believed.retain(|_, here| !here.is_empty());
                for channel in &wanted {
                    prop_assert!(before.get(channel).is_none_or(|slot| plan.places.get(channel) == Some(slot)));
                }
                let told: BTreeSet<_> = believed.values().flatten().copied().collect();
                prop_assert_eq!(&told, &wanted);
                prop_assert_eq!(believed.values().map(BTreeSet::len).sum::<usize>(), wanted.len());
                prop_assert!(believed.values().all(|here| here.len() <= 5));
                prop_assert_eq!(&believed, &plan.slots);
            }
        }
    }
}
