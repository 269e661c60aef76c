//! The bodies of `/users`, `/session` and one-time links.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::user::{LinkForm, PasswordForm, RoleDraft, SignInForm, TokenForm, UserDraft};
use crate::domain::Invalid;
use crate::domain::access::Role;
use crate::domain::secret::Secret;

/// A role in an organization.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserRoleDraft)]
pub(super) struct RoleJson {
    /// By default the organization that is there from the start.
    #[schema(value_type = Option<String>, format = Uuid)]
    organization_id: Option<String>,
    #[schema(value_type = Role, required = true)]
    role: Option<String>,
}

fn role_drafts(roles: Vec<RoleJson>) -> Vec<RoleDraft> {
    let draft =
        |RoleJson { organization_id, role }| RoleDraft { organization_id, role: role.unwrap_or_default() };
    roles.into_iter().map(draft).collect()
}

/// A user to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserDraft)]
pub(super) struct DraftJson {
    /// The name to sign in with. Upper and lower case do not matter.
    #[schema(value_type = String, required = true, example = "ada@example.org", max_length = 254)]
    email: Option<String>,
    /// By default the e-mail address.
    #[schema(min_length = 1, max_length = 255)]
    display_name: Option<String>,
    /// Whether the person is an admin of the whole installation.
    administrator: Option<bool>,
    /// The roles in organizations.
    roles: Option<Vec<RoleJson>>,
    /// By default there is none: make a one-time link.
    #[schema(min_length = 12, max_length = 512, format = Password)]
    password: Option<String>,
}

impl From<DraftJson> for (UserDraft, Option<String>) {
    fn from(draft: DraftJson) -> Self {
        let DraftJson { email, display_name, administrator, roles, password } = draft;
        let roles = roles.map(role_drafts);
        (UserDraft { email, display_name, administrator, roles }, password)
    }
}

/// A change of a user. What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserPatch)]
pub(super) struct PatchJson {
    #[schema(example = "ada@example.org", max_length = 254)]
    email: Option<String>,
    #[schema(min_length = 1, max_length = 255)]
    display_name: Option<String>,
    administrator: Option<bool>,
    /// They replace the old ones.
    roles: Option<Vec<RoleJson>>,
}

impl From<PatchJson> for UserDraft {
    fn from(PatchJson { email, display_name, administrator, roles }: PatchJson) -> Self {
        Self { email, display_name, administrator, roles: roles.map(role_drafts) }
    }
}

fn needed(field: &str, value: Option<String>) -> Result<Secret, Invalid> {
    value.map(Secret::new).ok_or_else(|| Invalid::one(field, "must be given"))
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordDraft)]
pub(super) struct PasswordJson {
    #[schema(value_type = String, required = true, min_length = 12, max_length = 512, format = Password)]
    password: Option<String>,
    /// Needed for one's own password.
    #[schema(format = Password)]
    current_password: Option<String>,
}

impl PasswordJson {
    pub(super) fn with(self, user_agent: Option<String>) -> Result<PasswordForm, Invalid> {
        let current_password = self.current_password.map(Secret::new);
        Ok(PasswordForm { password: needed("password", self.password)?, current_password, user_agent })
    }
}

/// One's current password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CurrentPassword)]
pub(super) struct CurrentPasswordJson {
    /// Needed for what is one's own.
    #[schema(format = Password)]
    password: Option<String>,
}

impl CurrentPasswordJson {
    pub(super) fn secret(self) -> Option<Secret> {
        self.password.map(Secret::new)
    }
}

/// A code of a second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecondFactorCode)]
pub(super) struct CodeJson {
    #[schema(value_type = String, required = true, example = "123456")]
    code: Option<String>,
}

impl CodeJson {
    pub(super) fn secret(self) -> Result<Secret, Invalid> {
        needed("code", self.code)
    }
}

/// What a person shows to sign in: `email` and `password`, or `token`, or `setup`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SignIn)]
pub(super) struct SignInJson {
    #[schema(example = "ada@example.org")]
    email: Option<String>,
    #[schema(format = Password)]
    password: Option<String>,
    /// A code of the second factor, or a recovery code.
    #[schema(example = "123456")]
    code: Option<String>,
    /// An API token, instead of all others. The session ends with the token.
    #[schema(format = Password)]
    token: Option<String>,
    /// What stands behind `#setup=` in a setup link, instead of all others. It signs in once, as an admin of the installation.
    #[schema(format = Password)]
    setup: Option<String>,
}

/// How somebody signs in.
pub(super) enum SignInWith {
    Password(SignInForm),
    Token(TokenForm),
    SetupLink(TokenForm),
}

impl SignInJson {
    pub(super) fn with(
        self,
        device: Option<String>,
        user_agent: Option<String>,
    ) -> Result<SignInWith, Invalid> {
        let Self { email, password, code, token, setup } = self;
        if let Some(setup) = setup {
            let is_alone = [&email, &password, &code, &token].iter().all(|other| other.is_none());
            let form = TokenForm { token: Secret::new(setup), user_agent };
            let alone = || Invalid::one("setup", "must be given alone");
            return is_alone.then_some(SignInWith::SetupLink(form)).ok_or_else(alone);
        }
        match (email, password, token) {
            (Some(email), Some(password), None) => {
                let (password, code) = (Secret::new(password), code.map(Secret::new));
                Ok(SignInWith::Password(SignInForm { email, password, code, device, user_agent }))
            }
            (None, None, Some(token)) if code.is_none() => {
                Ok(SignInWith::Token(TokenForm { token: Secret::new(token), user_agent }))
            }
            (_, _, Some(_)) => Err(Invalid::one("token", "must be given alone")),
            (None, _, None) => Err(Invalid::one("email", "must be given")),
            (Some(_), None, None) => Err(Invalid::one("password", "must be given")),
        }
    }
}

/// What a person who opened a one-time link sends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RedeemLink)]
pub(super) struct LinkJson {
    /// What stands behind `#` in the link.
    #[schema(value_type = String, required = true, pattern = "^swl_[0-9A-Za-z_-]{43}$")]
    link: Option<String>,
    #[schema(value_type = String, required = true, min_length = 12, max_length = 512, format = Password)]
    password: Option<String>,
    /// The address of the first administrator; only for the link of the first start.
    #[schema(example = "ada@example.org")]
    email: Option<String>,
    /// The name of the first administrator.
    display_name: Option<String>,
}

impl LinkJson {
    pub(super) fn form(self) -> Result<LinkForm, Invalid> {
        let Self { link, password, email, display_name } = self;
        let (link, password) = (needed("link", link)?, needed("password", password)?);
        Ok(LinkForm { link, password, email, display_name })
    }
}

/// Whose password is to be set anew.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordReset)]
pub(super) struct ResetJson {
    #[schema(value_type = String, required = true, example = "ada@example.org")]
    pub(super) email: Option<String>,
}
