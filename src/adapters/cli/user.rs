//! `streamward user …`

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use super::password::read_password;
use super::{Output, list_output};
use crate::adapters::views::{NewUserLink, UserSessionList, UserView};
use crate::app::AppError;
use crate::app::list::Pages;
use crate::app::user::{PasswordForm, RoleDraft, UserDraft, Users};
use crate::domain::UserId;
use crate::domain::access::{Actor, Role};
use crate::domain::page::Page;
use crate::domain::secret::Secret;
use crate::domain::user::{Session, User};

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
    fn drafts(&self) -> Option<Vec<RoleDraft>> {
        let draft = |text: &String| match text.split_once('=') {
            Some((organization, role)) => {
                RoleDraft { organization_id: Some(organization.to_owned()), role: role.to_owned() }
            }
            None => RoleDraft { organization_id: None, role: text.clone() },
        };
        (!self.roles.is_empty()).then(|| self.roles.iter().map(draft).collect())
    }
}

/// Runs the command.
pub async fn run(users: &Users, command: &UserCommand, out: &mut Output) -> anyhow::Result<()> {
    match command {
        UserCommand::Create { email, name, admin, roles, password } => {
            let draft = UserDraft {
                email: Some(email.clone()),
                display_name: name.clone(),
                administrator: Some(*admin),
                roles: roles.drafts(),
            };
            create(users, &draft, *password, out).await
        }
        UserCommand::List => {
            let pages = Pages::new(Actor::cli("user list"), (), Page::default());
            let columns = ["id", "email", "display_name", "administrator", "second_factor", "signed_in_at"];
            list_output::print(out, ("users", &columns), (users, pages), UserView::from).await
        }
        UserCommand::Show { user } => {
            let found = find(users, &Actor::cli("user show"), user).await?;
            let text = describe(&found);
            out.thing(&UserView::from(found), || text)
        }
        UserCommand::Update { user, email, name, admin, roles, no_second_factor } => {
            let actor = Actor::cli("user update");
            let draft = UserDraft {
                email: email.clone(),
                display_name: name.clone(),
                administrator: *admin,
                roles: roles.drafts(),
            };
            let changes = email.is_some() || name.is_some() || admin.is_some() || draft.roles.is_some();
            if !changes && !no_second_factor {
                bail!("nothing to change: give --email, --name, --admin, --role or --no-second-factor");
            }
            let mut found = find(users, &actor, user).await?;
            if *no_second_factor {
                users.remove_totp(&actor, found.id, None).await?;
                found.has_totp = false;
            }
            let updated = if changes { users.update(&actor, found.id, &draft).await? } else { found };
            let text = describe(&updated);
            out.thing(&UserView::from(updated), || text)
        }
        UserCommand::Delete { user } => {
            let actor = Actor::cli("user delete");
            let found = find(users, &actor, user).await?;
            users.delete(&actor, found.id).await?;
            let text = format!("Deleted user {}. All sessions have ended.", found.email);
            out.thing(&UserView::from(found), || text)
        }
        UserCommand::Password { user } => {
            let actor = Actor::cli("user password");
            let found = find(users, &actor, user).await?;
            let password = read_password(&format!("New password of {}: ", found.email))?;
            let form = PasswordForm { password, current_password: None, user_agent: None };
            users.set_password(&actor, found.id, &form).await?;
            let text = format!("The password of {} is set. All sessions have ended.", found.email);
            out.thing(&UserView::from(User { has_password: true, ..found }), || text)
        }
        UserCommand::Link { user } => {
            let actor = Actor::cli("user link");
            let found = find(users, &actor, user).await?;
            let link = users.create_link(&actor, found.id).await?;
            let (email, url, until) = (&found.email, link.url.expose(), link.expires_at);
            let text = format!(
                "Whoever opens this link sets the password of {email}. It works once, until {until}:\n\n  {url}"
            );
            out.thing(&NewUserLink::from(link), || text)
        }
        UserCommand::Sessions { user, end } => sessions(users, user, *end, out).await,
    }
}

async fn create(users: &Users, draft: &UserDraft, reads: bool, out: &mut Output) -> anyhow::Result<()> {
    let actor = Actor::cli("user create");
    let password = if reads { Some(read_password("Password: ")?) } else { None };
    let made = users.create(&actor, draft, password.as_ref().map(Secret::expose)).await?;
    let kind = if made.administrator { "administrator" } else { "user" };
    let mut text = format!("Created {kind} {} ({}).", made.email, made.id);
    if password.is_none() && !out.is_json() {
        let link = users.create_link(&actor, made.id).await?;
        let (url, until) = (link.url.expose(), link.expires_at);
        text +=
            &format!("\nWhoever opens this link sets the password. It works once, until {until}:\n\n  {url}");
    }
    out.thing(&UserView::from(made), || text)
}

async fn sessions(users: &Users, user: &str, end: bool, out: &mut Output) -> anyhow::Result<()> {
    let actor = Actor::cli("user sessions");
    let found = find(users, &actor, user).await?;
    let sessions = users.sessions(&actor, found.id).await?;
    let mut text: String = sessions.iter().map(line).collect();
    if sessions.is_empty() {
        text = "no sessions".to_owned();
    } else if end {
        text = format!("Ended {} sessions of {}.", sessions.len(), found.email);
    }
    if end {
        users.end_sessions(&actor, found.id).await?;
    }
    out.thing(&UserSessionList::from(sessions), || text)
}

fn line(session: &Session) -> String {
    let Session { id, used_at, ip_address, user_agent, .. } = session;
    let (address, agent) = (ip_address.as_deref().unwrap_or("-"), user_agent.as_deref().unwrap_or("-"));
    format!("{id}  used {used_at}  {address}  {agent}\n")
}

/// The user with this id or address.
async fn find(users: &Users, actor: &Actor, wanted: &str) -> anyhow::Result<User> {
    if let Ok(id) = wanted.parse::<UserId>() {
        return Ok(users.get(actor, id).await?);
    }
    let wanted_email = wanted.trim().to_lowercase();
    let mut pages = Pages::new(actor.clone(), (), Page::default());
    while !pages.is_over() {
        let page = pages.next(users).await?;
        if let Some(found) = page.into_iter().find(|user| user.email.as_str() == wanted_email) {
            return Ok(found);
        }
    }
    Err(AppError::NotFound("user")).with_context(|| format!("cannot find {wanted:?}"))
}

fn describe(user: &User) -> String {
    let User { id, email, display_name, administrator, roles, identity, has_password, has_totp, .. } = user;
    let yes_or_no = |yes: &bool| if *yes { "yes" } else { "no" };
    let (admin, password, factor) = (yes_or_no(administrator), yes_or_no(has_password), yes_or_no(has_totp));
    let password = identity.as_ref().map_or(password.to_owned(), |one| format!("none: {}", one.issuer));
    let roles: Vec<String> = roles.iter().map(|(id, role): (_, &Role)| format!("{role} in {id}")).collect();
    let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
    let seen = user.signed_in_at.map_or("never".to_owned(), |at| at.to_string());
    format!(
        "{email}\n  name           {display_name}\n  id             {id}\n  administrator  {admin}\n  \
         roles          {roles}\n  password       {password}\n  second factor  {factor}\n  signed in      {seen}"
    )
}
