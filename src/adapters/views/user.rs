//! Users, and their sessions.

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::list::list;
use crate::app::user::{CurrentSession, NewLink, NewTotp};
use crate::domain::OrganizationId;
use crate::domain::access::Role;
use crate::domain::user::{RecoveryCode, Session, User};

list! {
    /// All users.
    UserList { users: UserView }
}

/// A role in an organization.
#[derive(Serialize, ToSchema)]
#[schema(as = UserRole)]
pub(crate) struct UserRoleView {
    organization_id: Uuid,
    role: Role,
}

fn roles<'a>(roles: impl IntoIterator<Item = (&'a OrganizationId, &'a Role)>) -> Vec<UserRoleView> {
    let view = |(id, role): (&OrganizationId, &Role)| UserRoleView { organization_id: id.0, role: *role };
    roles.into_iter().map(view).collect()
}

/// A person who can sign in.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView {
    id: Uuid,
    /// The name to sign in with, in lower case.
    #[schema(example = "ada@example.org")]
    email: String,
    #[schema(example = "Ada Lovelace")]
    display_name: String,
    /// Whether the person is an admin of the whole installation. The roles do not matter then.
    administrator: bool,
    roles: Vec<UserRoleView>,
    /// The issuer of the provider that the person signs in with. Without it: with a password.
    #[schema(example = "https://login.example.org")]
    issuer: Option<String>,
    /// Without one, only a one-time link or a provider lets the person in.
    has_password: bool,
    /// Whether a code is needed to sign in.
    second_factor: bool,
    created_at: DateTime,
    updated_at: DateTime,
    /// When the person last signed in.
    signed_in_at: Option<DateTime>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id.0,
            email: user.email.into(),
            display_name: user.display_name,
            administrator: user.administrator,
            roles: roles(&user.roles),
            issuer: user.identity.map(|identity| identity.issuer),
            has_password: user.has_password,
            second_factor: user.has_totp,
            created_at: user.created_at,
            updated_at: user.updated_at,
            signed_in_at: user.signed_in_at,
        }
    }
}

/// A session, without its secret.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = UserSession)]
pub(crate) struct UserSessionView {
    id: Uuid,
    created_at: DateTime,
    /// When it was last used, to a minute.
    used_at: DateTime,
    /// When it ends if it is not used.
    expires_at: DateTime,
    /// The address that it began at.
    ip_address: Option<String>,
    /// What the browser calls itself.
    user_agent: Option<String>,
}

impl From<Session> for UserSessionView {
    fn from(session: Session) -> Self {
        let Session { id, created_at, used_at, expires_at, ip_address, user_agent, .. } = session;
        Self { id: id.0, created_at, used_at, expires_at, ip_address, user_agent }
    }
}

/// All sessions of a user that have not ended, the last used first.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserSessionList {
    sessions: Vec<UserSessionView>,
    /// How many there are.
    count: usize,
}

impl From<Vec<Session>> for UserSessionList {
    fn from(sessions: Vec<Session>) -> Self {
        let sessions: Vec<_> = sessions.into_iter().map(UserSessionView::from).collect();
        Self { count: sessions.len(), sessions }
    }
}

/// Who the caller is, and what they may do.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = CurrentSession)]
pub(crate) struct CurrentSessionView {
    /// How the audit log names the caller.
    #[schema(example = "user:ada@example.org")]
    actor: String,
    /// The role for the whole installation.
    role: Option<Role>,
    /// The roles in organizations.
    roles: Vec<UserRoleView>,
    /// What people call the caller.
    #[schema(example = "Ada Lovelace")]
    name: String,
    /// The session, if the caller has one.
    session_id: Option<Uuid>,
    /// When the session ends if it is not used.
    expires_at: Option<DateTime>,
    /// The user, if a person signed in.
    user: Option<UserView>,
}

impl From<CurrentSession> for CurrentSessionView {
    fn from(CurrentSession { actor, user }: CurrentSession) -> Self {
        Self {
            role: actor.permissions.installation_role(),
            roles: roles(actor.permissions.organization_roles()),
            name: match &user {
                Some(user) => user.display_name.clone(),
                None => actor.name.split_once(':').map_or(actor.name.as_str(), |(_, name)| name).to_owned(),
            },
            session_id: actor.origin.session.map(|session| session.session.0),
            expires_at: actor.origin.session.map(|session| session.expires_at),
            user: user.map(UserView::from),
            actor: actor.name,
        }
    }
}

/// A one-time link. It is shown only once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewUserLink {
    /// The address to open in a browser.
    #[schema(example = "https://tv.example.org/link#swl_…")]
    url: String,
    expires_at: DateTime,
}

impl From<NewLink> for NewUserLink {
    fn from(link: NewLink) -> Self {
        Self { url: link.url.expose().to_owned(), expires_at: link.expires_at }
    }
}

/// A second factor that waits for its first code. It is shown only once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewSecondFactor {
    /// The secret, in base32.
    #[schema(pattern = "^[A-Z2-7]{32}$")]
    secret: String,
    /// The same, for a QR code.
    #[schema(example = "otpauth://totp/Streamward:ada%40example.org?secret=…&issuer=Streamward")]
    uri: String,
}

impl From<NewTotp> for NewSecondFactor {
    fn from(totp: NewTotp) -> Self {
        Self { secret: totp.secret.secret().expose().to_owned(), uri: totp.uri.expose().to_owned() }
    }
}

/// Codes for when the device is lost. Each can be used once. They are shown only once.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

impl From<Vec<RecoveryCode>> for RecoveryCodes {
    fn from(codes: Vec<RecoveryCode>) -> Self {
        Self { recovery_codes: codes.iter().map(|code| code.expose().to_owned()).collect() }
    }
}
