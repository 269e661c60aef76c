//! `streamward notification …`

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::{Api, Kind, Query, at, object};
use super::failure::usage;
use super::owner::Owner;
use super::secret_file::read_secret;
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
        /// Where messages go
        #[command(flatten)]
        target: TargetArgs,
        /// Which events
        #[command(flatten)]
        filter: FilterArgs,
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
    /// Change it
    Update {
        /// Its id or name
        notification: String,
        /// A new name
        #[arg(long)]
        name: Option<String>,
        /// Where messages go
        #[command(flatten)]
        target: TargetArgs,
        /// Which events
        #[command(flatten)]
        filter: FilterArgs,
        /// Events of all topics
        #[arg(long, conflicts_with = "topics")]
        all_topics: bool,
        /// Events about all paths, and those about none
        #[arg(long, conflicts_with = "paths")]
        all_paths: bool,
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

/// Where messages go.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// Where messages go: an e-mail address, or an HTTP address that is no secret
    #[arg(long, conflicts_with = "target_file")]
    target: Option<String>,
    /// A file with the address, if it is a secret (always so with Discord and Slack); - reads it from the standard input
    #[arg(long, value_name = "FILE")]
    target_file: Option<PathBuf>,
}

impl TargetArgs {
    fn read(&self, kind: &str) -> anyhow::Result<Option<Value>> {
        let kept_secret = ["discord", "slack"].contains(&kind);
        if kept_secret && self.target.is_some() {
            usage!("the address of a webhook of {kind} is a secret: give it in a file, with --target-file");
        }
        let from_file = self.target_file.as_deref().map(|file| read_secret(file, "the address"));
        let from_file = from_file.transpose()?.map(|address| json!(address.expose()));
        Ok(self.target.as_ref().map(|target| json!(target)).or(from_file))
    }
}

/// Which events.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only events of this topic; may be repeated
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only events about this path, exact or prefix/*; may be repeated
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
    /// Nothing below: info, warning or critical
    #[arg(long)]
    severity: Option<String>,
}

impl FilterArgs {
    fn fields(&self, all_topics: bool, all_paths: bool) -> [(&'static str, Option<Value>); 3] {
        let list = |given: &Vec<String>, all| (all || !given.is_empty()).then(|| json!(given));
        [
            ("topics", list(&self.topics, all_topics)),
            ("paths", list(&self.paths, all_paths)),
            ("severity", self.severity.as_ref().map(|severity| json!(severity))),
        ]
    }
}

/// Runs the command.
pub async fn run(api: &Api, command: &NotificationCommand, out: &mut Output) -> anyhow::Result<()> {
    use NotificationCommand as C;
    let path = NOTIFICATION.path;
    match command {
        C::Create { name, kind, target, filter, owner } => {
            let Some(target) = target.read(kind)? else {
                usage!("the address is missing: give --target or --target-file")
            };
            let [topics, paths, severity] = filter.fields(false, false);
            let draft = object([
                ("name", Some(json!(name))),
                ("kind", Some(json!(kind))),
                ("target", Some(target)),
                topics,
                paths,
                severity,
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
        C::Update { notification, name, target, filter, all_topics, all_paths } => {
            let found = find(api, notification).await?;
            let name = name.as_ref().map(|name| json!(name));
            let target = target.read(&at(&found, "/kind"))?;
            let [topics, paths, severity] = filter.fields(*all_topics, *all_paths);
            let patch = object([("name", name), ("target", target), topics, paths, severity]);
            if patch == json!({}) {
                usage!(
                    "nothing to change: give --name, --target, --topic, --path, --severity, or another setting"
                );
            }
            let updated = api.patch::<NotificationView>(one(&found), &patch).await?;
            out.thing(&updated, || describe(&updated))
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
            let answer = [at(&tested, "/status"), at(&tested, "/words")];
            let answer = answer.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            if tested["is_delivered"] == true {
                return out.thing(&tested, || format!("The receiver took the message: {answer}"));
            }
            if out.is_json() {
                out.thing(&tested, String::new)?;
            }
            bail!("the receiver did not take the message: {answer}")
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
