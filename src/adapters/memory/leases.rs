//! Leases, assignments and hook events, in memory.

use std::time::Duration;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::domain::Timestamp;
use crate::domain::media_server::MediaServerName;
use crate::domain::reconcile::HookEvent;
use crate::ports::{
    Assignment, HookEventStore, InstanceLease, LeaseStore, Result, StoreError, StoredHookEvent,
};

impl MemoryStore {
    fn is_held(&self, state: &State, (assignment, lease): &(Assignment, i64)) -> bool {
        let row = state.instances.get(&assignment.instance);
        row.is_some_and(|(now, until)| now.epoch == *lease && *until > self.clock.now())
    }

    pub(super) fn guard(&self, state: &State, assignment: &Assignment) -> Result<()> {
        match state.assignments.get(&assignment.key) {
            Some(row) if row.0 == *assignment && self.is_held(state, row) => Ok(()),
            _ => Err(StoreError::Fenced(assignment.key.clone())),
        }
    }
}

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn renew_instance(&self, instance: &str, capacity: u32, ttl: Duration) -> Result<InstanceLease> {
        let now = self.clock.now();
        let mut state = self.state();
        let epoch = match state.instances.get(instance) {
            Some((lease, until)) => lease.epoch + i64::from(*until <= now),
            None => 1,
        };
        let mut others = state.instances.iter().filter(|(one, _)| *one != instance);
        let is_alone = !others.any(|(_, (_, until))| *until > now && *until <= now.plus(ttl));
        let lease = InstanceLease { instance: instance.to_owned(), epoch, capacity, ttl, is_alone };
        state.instances.insert(instance.to_owned(), (lease.clone(), now.plus(ttl)));
        Ok(lease)
    }

    async fn take_assignments(&self, lease: &InstanceLease, keys: &[String]) -> Result<Vec<Assignment>> {
        let now = self.clock.now();
        let mut state = self.state();
        let held = |state: &State, key: &String| {
            let is_renewed =
                |by: &str| state.instances.get(by).is_some_and(|(_, at)| *at <= now.plus(lease.ttl));
            let row = state.assignments.get(key)?;
            (self.is_held(state, row) && is_renewed(&row.0.instance)).then(|| row.0.clone())
        };
        let mut found: Vec<Assignment> = keys.iter().filter_map(|key| held(&state, key)).collect();
        let is_valid = state
            .instances
            .get(&lease.instance)
            .is_some_and(|(valid, until)| valid.epoch == lease.epoch && *until > now);
        let ours = found.iter().filter(|one| one.instance == lease.instance).count();
        let room = usize::try_from(lease.capacity).unwrap_or(usize::MAX).saturating_sub(ours);
        let free = keys.iter().filter(|key| is_valid && held(&state, key).is_none()).take(room);
        for key in free.cloned().collect::<Vec<_>>() {
            let epoch = state.assignments.get(&key).map_or(1, |(last, _)| last.epoch + 1);
            let taken = Assignment { key: key.clone(), instance: lease.instance.clone(), epoch };
            state.assignments.insert(key, (taken.clone(), lease.epoch));
            found.push(taken);
        }
        Ok(found)
    }

    async fn release_assignments(&self, assignments: &[Assignment]) -> Result<()> {
        let mut state = self.state();
        for assignment in assignments {
            if let Some((now, _)) = state.assignments.get_mut(&assignment.key)
                && now == assignment
            {
                now.instance.clear();
            }
        }
        Ok(())
    }

    async fn release_instance(&self, lease: &InstanceLease) -> Result<()> {
        if let Some((now, until)) = self.state().instances.get_mut(&lease.instance)
            && now.epoch == lease.epoch
        {
            *until = Timestamp::from_micros(0);
        }
        Ok(())
    }

    async fn end_all_leases(&self) -> Result<()> {
        self.state().instances.values_mut().for_each(|(_, until)| *until = Timestamp::from_micros(0));
        Ok(())
    }

    async fn prune_instances(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let (all, busy) = (state.instances.len(), state.assignments.values());
        let busy: Vec<String> = busy.map(|(one, _)| one.instance.clone()).collect();
        state.instances.retain(|instance, (_, until)| *until >= before || busy.contains(instance));
        Ok((all - state.instances.len()) as u64)
    }
}

#[async_trait]
impl HookEventStore for MemoryStore {
    async fn record_hook_event(&self, hook_event: &HookEvent) -> Result<()> {
        let mut state = self.state();
        state.last_hook_event += 1;
        let seq = state.last_hook_event;
        state.hook_events.push(StoredHookEvent { seq, hook_event: hook_event.clone() });
        Ok(())
    }

    async fn hook_events(&self, server: &MediaServerName) -> Result<Vec<StoredHookEvent>> {
        Ok(self
            .state()
            .hook_events
            .iter()
            .filter(|stored| stored.hook_event.server == *server)
            .cloned()
            .collect())
    }

    async fn delete_hook_events(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        seq: i64,
    ) -> Result<()> {
        let mut state = self.state();
        self.guard(&state, assignment)?;
        state.hook_events.retain(|stored| stored.hook_event.server != *server || stored.seq > seq);
        Ok(())
    }
}
