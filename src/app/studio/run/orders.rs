//! Reads what persons ordered.

use std::sync::Arc;

use super::outside::{Message, Orders, Outside};
use crate::app::Core;
use crate::domain::access::Scope;
use crate::domain::studio::StudioId;
use crate::ports::StoreError;

/// Reads the studio and the drill that has not ended, and tells the supervisor. Removes a hold that has expired.
pub(super) async fn read(outside: Outside, core: Arc<Core>, id: StudioId) {
    let read = read_now(&outside, &core, id).await;
    outside.send(Message::Orders(read.map(Box::new))).await;
}

async fn read_now(outside: &Outside, core: &Core, id: StudioId) -> Result<Orders, StoreError> {
    let (store, name) = (&core.worker_store, &outside.setup.name);
    let mut studio = store.studio(&Scope::system(), name).await?;
    if let Some(studio) = &mut studio
        && studio.hold.as_ref().is_some_and(|hold| hold.has_expired(core.now()))
    {
        if store.expire_studio_hold(id, core.now()).await? {
            tracing::info!(studio = %name, "a hold has ended: automation decides again");
        }
        studio.hold = None;
    }
    Ok(Orders { studio, drill: store.open_drill(id).await? })
}
