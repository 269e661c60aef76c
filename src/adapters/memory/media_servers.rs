//! The last known state of each media server, in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::access::Scope;
use crate::domain::event::{EventBody, MediaServerEvent};
use crate::domain::media_server::{MediaServerName, MediaServerStatus};
use crate::domain::{OrganizationId, Timestamp};
use crate::ports::{Assignment, Contact, MediaServerStore, PollResult, Result};

fn unknown(name: &MediaServerName, now: Timestamp) -> MediaServerStatus {
    MediaServerStatus {
        name: name.clone(),
        version: None,
        run: None,
        reachable: false,
        since: now,
        last_reconcile: None,
        last_error: None,
        drift_repaired: 0,
        last_hook: None,
        last_auth: None,
        told_unreachable: false,
    }
}

#[async_trait]
impl MediaServerStore for MemoryStore {
    async fn record_poll(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        poll: &PollResult,
        now: Timestamp,
    ) -> Result<bool> {
        let mut state = self.state();
        self.guard(&state, assignment)?;
        let status = state.media_servers.entry(server.clone()).or_insert_with(|| unknown(server, now));
        let reachable = matches!(poll, PollResult::Succeeded { .. });
        if status.reachable != reachable {
            status.reachable = reachable;
            status.since = now;
        }
        match poll {
            PollResult::Succeeded { version, run, repaired } => {
                status.version.clone_from(version);
                status.run.clone_from(run);
                status.last_reconcile = Some(now);
                status.last_error = None;
                status.drift_repaired += repaired;
            }
            PollResult::Failed(why) => status.last_error = Some(why.clone()),
        }
        let Some(event) = MediaServerEvent::missing(status, now) else { return Ok(false) };
        status.told_unreachable = !status.reachable;
        state.append_event(now, OrganizationId::DEFAULT, &EventBody::MediaServer(event));
        Ok(true)
    }

    async fn record_contact(&self, server: &MediaServerName, contact: Contact, now: Timestamp) -> Result<()> {
        let mut state = self.state();
        let status = state.media_servers.entry(server.clone()).or_insert_with(|| unknown(server, now));
        let last = match contact {
            Contact::Auth => &mut status.last_auth,
            Contact::Hook => &mut status.last_hook,
        };
        *last = (*last).max(Some(now));
        Ok(())
    }

    async fn media_servers(&self, _: &Scope) -> Result<Vec<MediaServerStatus>> {
        Ok(self.state().media_servers.values().cloned().collect())
    }
}
