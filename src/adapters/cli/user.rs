//! `streamward user …`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::{Api, Kind, Query, array, at, object};
use super::failure::usage;
use super::password::read_password;
use super::{Output, list_output};
use crate::adapters::views::{NewUserLink, UserSessionList, UserView};
use crate::domain::secret::Secret;

const USER: Kind = Kind {
    list: "users",
    path: "/users",
    noun: "user",
    field: "email",
    any_case: true,
    advice: "create it with: streamward user create {}",
};

/// Commands about users. They accept an id or an e-mail address.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create a user, and print a one-time link to set the password with
    Create {
        /// The e-mail address to sign in with
        email: String,
        /// The name; by default the address
        #[arg(long)]
        name: Option<String>,
        /// Make the person an admin of the whole installation
        #[arg(long)]
        admin: bool,
        /// Roles
        #[command(flatten)]
        roles: RoleArgs,
        /// Read the password from standard input instead of printing a link
        #[arg(long)]
        password: bool,
    },
    /// List all users
    List,
    /// Show one
    Show {
        /// Its id or address
        user: String,
    },
    /// Change a user; if the permissions change, the person has to sign in again
    Update {
        /// Its id or address
        user: String,
        /// The new address
        #[arg(long)]
        email: Option<String>,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        /// Whether the person is an admin of the whole installation
        #[arg(long, value_name = "true|false")]
        admin: Option<bool>,
        /// Roles, which replace the old ones
        #[command(flatten)]
        roles: RoleArgs,
        /// Remove the second factor, for a person who has lost it
        #[arg(long)]
        no_second_factor: bool,
    },
    /// Delete a user; all sessions end
    Delete {
        /// Its id or address
        user: String,
    },
    /// Set the password of a user, read from standard input; all sessions end
    Password {
        /// Its id or address
        user: String,
    },
    /// Print a one-time link with which a user sets the password
    Link {
        /// Its id or address
        user: String,
    },
    /// Print a link that opens the page and signs in there, once, as an admin of the installation
    SetupLink,
    /// List the sessions of a user, or end them
    Sessions {
        /// Its id or address
        user: String,
        /// End all of them
        #[arg(long)]
        end: bool,
    },
}

/// Roles in organizations.
#[derive(Debug, Args)]
pub struct RoleArgs {
    /// A role: viewer, operator or admin; in another organization than the first one: ORGANIZATION=ROLE
    #[arg(long = "role", value_name = "[ORGANIZATION=]ROLE")]
    roles: Vec<String>,
}

impl RoleArgs {
    fn drafts(&self) -> Option<Value> {
        let draft = |text: &String| match text.split_once('=') {
            Some((organization, role)) => json!({"organization_id": organization, "role": role}),
            None => json!({"role": text}),
        };
        (!self.roles.is_empty()).then(|| self.roles.iter().map(draft).collect())
    }
}

/// Runs the command.
pub async fn run(api: &Api, command: &UserCommand, out: &mut Output) -> anyhow::Result<()> {
    match command {
        UserCommand::Create { email, name, admin, roles, password } => {
            let draft = [
                ("email", Some(json!(email))),
                ("display_name", name.as_ref().map(|name| json!(name))),
                ("administrator", Some(json!(admin))),
                ("roles", roles.drafts()),
            ];
            create(api, draft, *password, out).await
        }
        UserCommand::List => {
            let pages = api.pages::<UserView>(USER.list, USER.path, &Query::default());
            let columns = [
                "id",
                "email",
                "name=display_name",
                "admin=administrator",
                "2fa=second_factor",
                "signed_in_at",
            ];
            list_output::print_pages(out, (USER.list, &columns), pages, |_| ()).await
        }
        UserCommand::Show { user } => {
            let found = find(api, user).await?;
            out.thing(&found, || describe(&found))
        }
        UserCommand::Update { user, email, name, admin, roles, no_second_factor } => {
            let draft = object([
                ("email", email.as_ref().map(|email| json!(email))),
                ("display_name", name.as_ref().map(|name| json!(name))),
                ("administrator", admin.map(|admin| json!(admin))),
                ("roles", roles.drafts()),
            ]);
            let changes = draft != json!({});
            if !changes && !no_second_factor {
                usage!("nothing to change: give --email, --name, --admin, --role or --no-second-factor");
            }
            let mut found = find(api, user).await?;
            let one = one(&found);
            if *no_second_factor {
                api.post::<()>(format!("{one}/second-factor/remove"), Some(&json!({}))).await?;
                found["second_factor"] = false.into();
            }
            let updated = if changes { api.patch::<UserView>(one, &draft).await? } else { found };
            out.thing(&updated, || describe(&updated))
        }
        UserCommand::Delete { user } => {
            let found = find(api, user).await?;
            api.delete(one(&found)).await?;
            out.thing(&found, || format!("Deleted user {}. All sessions have ended.", at(&found, "/email")))
        }
        UserCommand::Password { user } => {
            let mut found = find(api, user).await?;
            let email = at(&found, "/email");
            let password = read_password(&format!("New password of {email}: "))?;
            let body = json!({"password": password.expose()});
            api.post::<()>(format!("{}/password", one(&found)), Some(&body)).await?;
            found["has_password"] = true.into();
            out.thing(&found, || format!("The password of {email} is set. All sessions have ended."))
        }
        UserCommand::Link { user } => {
            let found = find(api, user).await?;
            let link = api.post::<NewUserLink>(format!("{}/link", one(&found)), None).await?;
            let (email, url, until) = (at(&found, "/email"), at(&link, "/url"), at(&link, "/expires_at"));
            out.thing(&link, || {
                format!("Whoever opens this link sets the password of {email}. It works once, until {until}:\n\n  {url}")
            })
        }
        UserCommand::SetupLink => {
            let link = api.post::<NewUserLink>("/setup-links", None).await?;
            let (url, until) = (at(&link, "/url"), at(&link, "/expires_at"));
            out.thing(&link, || {
                format!("Whoever opens this link is signed in as an admin. It works once, until {until}:\n\n  {url}")
            })
        }
        UserCommand::Sessions { user, end } => sessions(api, user, *end, out).await,
    }
}

async fn create(
    api: &Api,
    [email, name, admin, roles]: [(&str, Option<Value>); 4],
    reads: bool,
    out: &mut Output,
) -> anyhow::Result<()> {
    let password = if reads { Some(read_password("Password: ")?) } else { None };
    let secret = password.as_ref().map(Secret::expose).map(|password| json!(password));
    let draft = object([email, name, admin, roles, ("password", secret)]);
    let made = api.post::<UserView>(USER.path, Some(&draft)).await?;
    let kind = if made["administrator"] == true { "administrator" } else { "user" };
    let mut text = format!("Created {kind} {} ({}).", at(&made, "/email"), at(&made, "/id"));
    if password.is_none() && !out.is_json() {
        let link = api.post::<NewUserLink>(format!("{}/link", one(&made)), None).await?;
        let (url, until) = (at(&link, "/url"), at(&link, "/expires_at"));
        text +=
            &format!("\nWhoever opens this link sets the password. It works once, until {until}:\n\n  {url}");
    }
    out.thing(&made, || text)
}

async fn sessions(api: &Api, user: &str, end: bool, out: &mut Output) -> anyhow::Result<()> {
    let found = find(api, user).await?;
    let path = format!("{}/sessions", one(&found));
    let all = api.get::<UserSessionList>(path.clone()).await?;
    let sessions = array(&all, "/sessions");
    let mut text: String = sessions.iter().map(line).collect();
    if sessions.is_empty() {
        text = "no sessions".to_owned();
    } else if end {
        text = format!("Ended {} sessions of {}.", sessions.len(), at(&found, "/email"));
    }
    if end {
        api.delete(path).await?;
    }
    out.thing(&all, || text)
}

fn line(session: &Value) -> String {
    let or_dash = |name: &str| Some(at(session, name)).filter(|text| !text.is_empty()).unwrap_or("-".into());
    let (address, agent) = (or_dash("/ip_address"), or_dash("/user_agent"));
    format!("{}  used {}  {address}  {agent}\n", at(session, "/id"), at(session, "/used_at"))
}

/// The user with this id or address.
async fn find(api: &Api, wanted: &str) -> anyhow::Result<Value> {
    api.find::<UserView>(&USER, wanted).await
}

fn one(user: &Value) -> String {
    format!("{}/{}", USER.path, at(user, "/id"))
}

fn describe(user: &Value) -> String {
    let yes_or_no = |name: &str| if user[name] == true { "yes" } else { "no" };
    let admin = yes_or_no("administrator");
    let password = match user.pointer("/identity/issuer").and_then(Value::as_str) {
        Some(issuer) => format!("none: {issuer}"),
        None => yes_or_no("has_password").to_owned(),
    };
    let role = |role: &Value| format!("{} in {}", at(role, "/role"), at(role, "/organization_id"));
    let roles: Vec<String> = array(user, "/roles").iter().map(role).collect();
    let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
    let seen = user["signed_in_at"].as_str().unwrap_or("never");
    format!(
        "{}\n  name           {}\n  id             {}\n  administrator  {admin}\n  \
         roles          {roles}\n  password       {password}\n  second factor  {}\n  signed in      {seen}",
        at(user, "/email"),
        at(user, "/display_name"),
        at(user, "/id"),
        yes_or_no("second_factor")
    )
}
