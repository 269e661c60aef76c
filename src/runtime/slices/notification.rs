//! Notifications: messages about events to receivers outside.

use std::sync::Arc;
use std::time::Duration;

use crate::adapters::cli::notification::{NotificationCommand, run};
use crate::adapters::http::notification::{NotificationState, routes};
use crate::adapters::webhook_sender::{AllowedAddresses, WebhookSender};
use crate::app::notification::{Deliveries, NotificationSettings, NotificationTasks, Notifications};
use crate::app::task::AnyTask;
use crate::ports::NotificationSender;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice, commands};

/// How long an old signing secret is used beside a new one.
const ROTATION: Duration = Duration::from_secs(24 * 3_600);

pub(super) const SLICE: Slice = Slice {
    document: || routes().document(),
    commands: &[commands!(
        "notification",
        "Manage notifications, messages about events",
        NotificationCommand,
        |command, api, out| run(api, &command, out)
    )],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    let config = &shared.config.notifications;
    let settings = NotificationSettings {
        retry_after: config.retry_after.0,
        give_up_after: config.give_up_after.0,
        rotation: ROTATION,
    };
    let core = || Arc::clone(&shared.core);
    let service = Notifications::new(core(), sender(shared), shared.outside.mailer.clone(), settings);
    let notifications = Arc::new(service);
    let deliveries = Arc::new(Deliveries::new(core()));
    parts.add_routes(routes(), NotificationState { notifications: Arc::clone(&notifications), deliveries });
    parts.tasks.push(AnyTask::Set(Box::new(NotificationTasks::new(notifications))));
    parts.retain(config.retention.0, |store, at| store.prune_deliveries(at));
}

fn sender(shared: &Shared) -> Option<Arc<dyn NotificationSender>> {
    let config = &shared.config.notifications;
    let allowed =
        AllowedAddresses { all: config.allow_private_addresses, networks: config.allowed_networks.0.clone() };
    match WebhookSender::new(config.timeout.0, allowed) {
        Ok(sender) => Some(Arc::new(sender)),
        Err(error) => {
            tracing::error!(%error, "no notification can be sent over HTTP");
            None
        }
    }
}
