//! `streamward notification …`

use clap::Subcommand;
use serde_json::{Value, json};

use super::api::{Api, Kind, Query, at, object};
use super::owner::Owner;
use super::{Output, list_output};
use crate::adapters::views::{
    DeliveryView, NewNotification, NotificationTestView, NotificationView, ReplayView,
};

const NOTIFICATION: Kind = Kind {
    list: "notifications",
    path: "/notifications",
    noun: "notification",
    field: "name",
    any_case: false,
    advice: "create it with: streamward notification create {}",
};

/// Commands about notifications. They accept an id or an exact name.
#[derive(Debug, Subcommand)]
pub enum NotificationCommand {
    /// Create a notification: a webhook, e-mail, discord, slack or ntfy
    Create {
        /// Its name
        name: String,
        /// webhook, email, discord, slack or ntfy
        #[arg(long)]
        kind: String,
        /// Where messages go: an address or an e-mail address
        #[arg(long)]
        target: String,
        /// Only events of this topic; may be repeated
        #[arg(long = "topic", value_name = "TOPIC")]
        topics: Vec<String>,
        /// Only events about this path, exact or prefix/*; may be repeated
        #[arg(long = "path", value_name = "PATH")]
        paths: Vec<String>,
        /// Nothing below: info, warning or critical
        #[arg(long)]
        severity: Option<String>,
        /// Whose events
        #[command(flatten)]
        owner: Owner,
    },
    /// List all notifications
    List,
    /// Show one
    Show {
        /// Its id or name
        notification: String,
    },
    /// Turn it on; it begins with the next event
    Enable {
        /// Its id or name
        notification: String,
    },
    /// Turn it off
    Disable {
        /// Its id or name
        notification: String,
    },
    /// Delete it and its messages
    Delete {
        /// Its id or name
        notification: String,
    },
    /// Send a test message now
    Test {
        /// Its id or name
        notification: String,
    },
    /// Make a new signing secret; the old one is used too for a day
    RotateSecret {
        /// Its id or name
        notification: String,
    },
    /// List its messages, and what became of them
    Deliveries {
        /// Its id or name
        notification: String,
        /// Only these: pending, delivered or dead
        #[arg(long)]
        status: Option<String>,
    },
    /// Send a message again, or all that are dead
    Replay {
        /// Its id or name
        notification: String,
        /// The message. Without it: all that are dead
        delivery: Option<String>,
    },
}

/// Runs the command.
pub async fn run(api: &Api, command: &NotificationCommand, out: &mut Output) -> anyhow::Result<()> {
    use NotificationCommand as C;
    let path = NOTIFICATION.path;
    match command {
        C::Create { name, kind, target, topics, paths, severity, owner } => {
            let draft = object([
                ("name", Some(json!(name))),
                ("kind", Some(json!(kind))),
                ("target", Some(json!(target))),
                ("topics", Some(json!(topics))),
                ("paths", Some(json!(paths))),
                ("severity", severity.as_ref().map(|severity| json!(severity))),
                ("organization_id", owner.id(api).await?),
            ]);
            let made = api.post::<NewNotification>(path, Some(&draft)).await?;
            out.thing(&made, || {
                format!(
                    "Created notification {} ({}).{}",
                    at(&made, "/name"),
                    at(&made, "/id"),
                    secret(&made)
                )
            })
        }
        C::List => {
            let pages = api.pages::<NotificationView>(NOTIFICATION.list, path, &Query::default());
            let columns = ["id", "name", "kind", "target", "severity", "enabled"];
            list_output::print_pages(out, (NOTIFICATION.list, &columns), pages, |_| ()).await
        }
        C::Show { notification } => {
            let found = find(api, notification).await?;
            out.thing(&found, || describe(&found))
        }
        C::Enable { notification } => turn(api, notification, true, out).await,
        C::Disable { notification } => turn(api, notification, false, out).await,
        C::Delete { notification } => {
            let found = find(api, notification).await?;
            api.delete(one(&found)).await?;
            out.thing(&found, || format!("Deleted notification {} and its messages.", at(&found, "/name")))
        }
        C::Test { notification } => {
            let found = find(api, notification).await?;
            let tested = api.post::<NotificationTestView>(format!("{}/test", one(&found)), None).await?;
            out.thing(&tested, || {
                let taken = if tested["is_delivered"] == true { "took" } else { "did not take" };
                let (status, words) = (at(&tested, "/status"), at(&tested, "/words"));
                format!("The receiver {taken} the message: {status} {words}").trim_end().to_owned()
            })
        }
        C::RotateSecret { notification } => {
            let found = find(api, notification).await?;
            let made = api.post::<NewNotification>(format!("{}/rotate-secret", one(&found)), None).await?;
            out.thing(&made, || {
                let until = at(&made, "/old_secret_until");
                format!("The old secret is used too until {until}.{}", secret(&made))
            })
        }
        C::Deliveries { notification, status } => {
            let found = find(api, notification).await?;
            let query = Query::default().with("status", status.clone());
            let pages =
                api.pages::<DeliveryView>("deliveries", &format!("{}/deliveries", one(&found)), &query);
            let columns =
                ["id", "event", "state", "attempts", "last_status", "last_words", "next_attempt_at"];
            list_output::print_pages(out, ("deliveries", &columns), pages, |_| ()).await
        }
        C::Replay { notification, delivery } => {
            let found = find(api, notification).await?;
            let which = delivery.as_ref().map(|id| format!("/{id}")).unwrap_or_default();
            let path = format!("{}/deliveries{which}/replay", one(&found));
            let replayed = api.post::<ReplayView>(path, None).await?;
            out.thing(&replayed, || format!("Messages that are sent again: {}.", at(&replayed, "/count")))
        }
    }
}

async fn find(api: &Api, wanted: &str) -> anyhow::Result<Value> {
    api.find::<NotificationView>(&NOTIFICATION, wanted).await
}

fn one(found: &Value) -> String {
    format!("{}/{}", NOTIFICATION.path, at(found, "/id"))
}

async fn turn(api: &Api, wanted: &str, enabled: bool, out: &mut Output) -> anyhow::Result<()> {
    let found = find(api, wanted).await?;
    let updated = api.patch::<NotificationView>(one(&found), &json!({ "enabled": enabled })).await?;
    out.thing(&updated, || {
        format!("Notification {} is {}.", at(&updated, "/name"), if enabled { "on" } else { "off" })
    })
}

fn secret(made: &Value) -> String {
    match at(made, "/secret") {
        none if none.is_empty() => String::new(),
        secret => format!("\nIts signing secret, shown only now: {secret}"),
    }
}

fn describe(found: &Value) -> String {
    let fields = ["id", "kind", "target", "topics", "paths", "severity", "enabled", "problem", "created_at"];
    let mut text = at(found, "/name");
    for field in fields {
        let value = at(found, &format!("/{field}"));
        if !value.is_empty() {
            text.push_str(&format!("\n  {field:<11} {value}"));
        }
    }
    text
}
