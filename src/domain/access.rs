//! Authorization in the management API: roles, actors and API tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::Timestamp;
use super::id::{OrganizationId, SessionId, UserId, id};
use super::invalid::{Invalid, text};
use super::page::newest_first;
use super::secret::Secret;

/// The permissions of a client. Each role includes the ones before it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Reads everything but audit and tokens.
    Viewer,
    /// Also ends streams.
    Operator,
    /// Also manages broadcasters, keys and tokens, and reads the audit log.
    Admin,
}

impl Role {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads what [`Role::as_str`] wrote.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse().map_err(|_| Invalid::one("role", "must be viewer, operator or admin"))
    }
}

/// The origin of a call, for the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub ip: Option<IpAddr>,
    /// HTTP method, or `CLI`.
    pub method: Option<String>,
    /// Request path without the query, or the command.
    pub path: Option<String>,
    /// The request id that was answered.
    pub request_id: Option<String>,
    /// The session, if the client showed its cookie.
    pub session: Option<SignedIn>,
    /// The API token, if the client showed one, or exchanged one for its session.
    pub token: Option<ApiTokenId>,
}

/// The session of a client, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The session.
    pub session: SessionId,
    /// Its user; `None` if an API token was exchanged for it.
    pub user: Option<UserId>,
    /// When it ends if it is not used.
    pub expires_at: Timestamp,
}

/// What a client may do, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// In all organizations, and for what belongs to none of them: media servers, tasks, the organizations themselves.
    installation: Option<Role>,
    organizations: BTreeMap<OrganizationId, Role>,
}

impl Permissions {
    /// Those of the command line, of configured secrets, and of tokens that belong to no organization.
    pub fn of_installation(role: Role) -> Self {
        Self { installation: Some(role), organizations: BTreeMap::new() }
    }

    /// Those of who belongs to organizations.
    pub fn in_organizations(roles: impl IntoIterator<Item = (OrganizationId, Role)>) -> Self {
        Self { installation: None, organizations: roles.into_iter().collect() }
    }

    /// The highest role anywhere. `None`: a user who belongs to no organization.
    pub fn highest_role(&self) -> Option<Role> {
        self.installation.max(self.organizations.values().copied().max())
    }

    /// The organization, if there is only one in which they count.
    pub fn only_organization(&self) -> Option<OrganizationId> {
        let mut all = self.organizations.keys().filter(|_| self.installation.is_none());
        all.next().copied().filter(|_| all.next().is_none())
    }

    /// The role for the whole installation.
    pub fn installation_role(&self) -> Option<Role> {
        self.installation
    }

    /// The roles in organizations.
    pub fn organization_roles(&self) -> &BTreeMap<OrganizationId, Role> {
        &self.organizations
    }
}

/// The client of a use-case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// How the audit log names it, e.g. `token:dashboard`, `signed:key-1`, `user:ada@example.org`, `cli`.
    pub name: String,
    /// Its permissions.
    pub permissions: Permissions,
    /// The origin of its call.
    pub origin: Origin,
}

/// The client's role is not sufficient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The lowest sufficient role.
    pub needs: Role,
    /// Whether roles in organizations do not count.
    pub of_installation: bool,
}

impl Forbidden {
    /// A role is needed.
    pub fn role(needs: Role) -> Self {
        Self { needs, of_installation: false }
    }
}

impl std::fmt::Display for Forbidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this needs the role {}", self.needs)?;
        if self.of_installation {
            write!(f, " for the whole installation, which nobody has who belongs to an organization")?;
        }
        Ok(())
    }
}

impl Actor {
    /// The command line.
    pub fn cli(command: &str) -> Self {
        let origin =
            Origin { method: Some("CLI".into()), path: Some(command.to_owned()), ..Origin::default() };
        Self { name: "cli".into(), permissions: Permissions::of_installation(Role::Admin), origin }
    }

    /// What its limits are counted under. Organizations name their tokens without knowing those of others.
    pub fn caller(&self) -> String {
        match self.permissions.only_organization() {
            Some(organization) => format!("{} of {organization}", self.name),
            None => self.name.clone(),
        }
    }

    /// Checks the actor's role. Every use-case calls this first.
    pub fn authorize(&self, action: Action, resource: &Resource) -> Result<Scope, Forbidden> {
        let needs = resource.lowest_role(action);
        if self.permissions.installation >= Some(needs) {
            return Ok(Scope::system());
        }
        let allowed = self.permissions.organizations.iter().filter(|(_, role)| **role >= needs);
        let allowed: BTreeSet<_> = allowed.map(|(id, _)| *id).collect();
        if resource.of_installation || allowed.is_empty() {
            let of_installation = resource.of_installation && !self.permissions.organizations.is_empty();
            return Err(Forbidden { needs, of_installation });
        }
        Ok(Scope(Some(allowed)))
    }
}

/// What a use-case does to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Shows it.
    Read,
    /// Acts on running work, such as ending a stream.
    Operate,
    /// Creates, changes and deletes it.
    Manage,
}

/// A kind of resource: the lowest role for each action. A slice declares its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    read: Role,
    of_installation: bool,
}

impl Resource {
    /// Everybody may read it, operators may operate it, admins may manage it.
    pub const READ_BY_ALL: Self = Self::read_by(Role::Viewer);

    /// Only `role` and above may read it.
    pub const fn read_by(role: Role) -> Self {
        Self { read: role, of_installation: false }
    }

    /// It belongs to no organization: only roles for the whole installation count.
    pub const fn of_installation(self) -> Self {
        Self { of_installation: true, ..self }
    }

    const fn lowest_role(&self, action: Action) -> Role {
        match action {
            Action::Read => self.read,
            Action::Operate => Role::Operator,
            Action::Manage => Role::Admin,
        }
    }
}

/// The rows that a store call may see. [`Actor::authorize`] makes it, so that no use-case can skip the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(Option<BTreeSet<OrganizationId>>);

impl Scope {
    /// All rows, for background tasks and requests of media servers.
    pub const fn system() -> Self {
        Self(None)
    }

    /// Whose rows. `None`: everybody's.
    pub fn organizations(&self) -> Option<&BTreeSet<OrganizationId>> {
        self.0.as_ref()
    }

    /// Whether a row of `organization` may be seen.
    pub fn includes(&self, organization: OrganizationId) -> bool {
        self.0.as_ref().is_none_or(|allowed| allowed.contains(&organization))
    }

    /// The organization of a new row: the one that is named, or the only one there can be.
    pub fn owner_of_new(&self, named: Option<OrganizationId>) -> Result<OrganizationId, Invalid> {
        match (named, &self.0) {
            (Some(named), _) if self.includes(named) => Ok(named),
            (Some(_), _) => Err(Invalid::one("organization_id", "there is no such organization")),
            (None, None) => Ok(OrganizationId::DEFAULT),
            (None, Some(allowed)) => match allowed.first() {
                Some(only) if allowed.len() == 1 => Ok(*only),
                _ => Err(Invalid::one("organization_id", "is needed: you belong to several organizations")),
            },
        }
    }
}

id!(/// Names an API token; not a secret.
    ApiTokenId);

/// A stored API token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its identity.
    pub id: ApiTokenId,
    /// Where it counts, and with what it ends. `None`: in the whole installation.
    pub organization_id: Option<OrganizationId>,
    /// What it is for.
    pub name: String,
    /// Its permissions.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is invalid.
    pub expires_at: Option<Timestamp>,
}

newest_first!(ApiToken, created_at);

impl ApiToken {
    /// What its holder may do.
    pub fn permissions(&self) -> Permissions {
        match self.organization_id {
            Some(organization) => Permissions::in_organizations([(organization, self.role)]),
            None => Permissions::of_installation(self.role),
        }
    }
}

/// Checks a token's name.
pub fn token_name(value: &str) -> Result<String, Invalid> {
    text("name", value, 1, 100)
}

/// How an API token begins.
pub const TOKEN_PREFIX: &str = "swt_";
const RANDOM_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// An API token's secret: `swt_`, 43 base62 characters (32 random bytes) and a CRC-32 of those in 6 more, so that a
/// mistyped token, or one found by a secret scanner, is recognised without the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSecret(Secret);

impl TokenSecret {
    /// Makes the secret out of 32 bytes from a cryptographic random source.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        let body = base62(bytes);
        Self(Secret::new(format!("{TOKEN_PREFIX}{body}{}", checksum(&body))))
    }

    /// The token in `text`, if shape and checksum are right.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(TOKEN_PREFIX)?;
        let shaped =
            rest.len() == RANDOM_CHARS + CHECKSUM_CHARS && rest.bytes().all(|b| b.is_ascii_alphanumeric());
        if !shaped {
            return None;
        }
        let (body, sum) = rest.split_at(RANDOM_CHARS);
        (checksum(body) == sum).then(|| Self(Secret::new(text)))
    }

    /// The secret itself: for the answer to its creation.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// A 256-bit number in 43 base62 digits, most significant first.
fn base62(mut bytes: [u8; 32]) -> String {
    let mut digits = [0u8; RANDOM_CHARS];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0u32;
        for byte in &mut bytes {
            let value = remainder * 256 + u32::from(*byte);
            // Below 256: the remainder carried in is below 62.
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        *digit = BASE62[remainder as usize];
    }
    digits.iter().map(|b| char::from(*b)).collect()
}

fn checksum(body: &str) -> String {
    let mut value = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(value % 62) as usize];
        value /= 62;
    }
    digits.iter().map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn roles_include_the_ones_before() {
        let actor = |role| Actor { permissions: Permissions::of_installation(role), ..Actor::cli("test") };
        let stream = Resource::READ_BY_ALL;
        assert!(actor(Role::Admin).authorize(Action::Read, &stream).is_ok());
        let forbidden = actor(Role::Viewer).authorize(Action::Operate, &stream);
        assert_eq!(forbidden, Err(Forbidden::role(Role::Operator)));
        let forbidden = actor(Role::Operator).authorize(Action::Read, &Resource::read_by(Role::Admin));
        assert_eq!(forbidden, Err(Forbidden::role(Role::Admin)));
        for role in [Role::Viewer, Role::Operator, Role::Admin] {
            assert_eq!(Role::parse(role.as_str()), Ok(role));
        }
        assert_eq!(Role::parse("root").unwrap_err().0[0].field, "role");
    }

    #[test]
    fn a_role_counts_in_its_organization_only() {
        let [first, second] = [1, 2].map(|n| OrganizationId(uuid::Uuid::from_u128(n)));
        let roles = [(first, Role::Admin), (second, Role::Viewer)];
        let actor = Actor { permissions: Permissions::in_organizations(roles), ..Actor::cli("test") };
        let resource = Resource::READ_BY_ALL;
        let reads = actor.authorize(Action::Read, &resource).unwrap();
        assert_eq!(reads.organizations(), Some(&BTreeSet::from([first, second])));
        assert!(reads.owner_of_new(None).is_err(), "several are possible");
        let manages = actor.authorize(Action::Manage, &resource).unwrap();
        assert!(manages.includes(first) && !manages.includes(second));
        assert_eq!(manages.owner_of_new(None), Ok(first));
        assert!(manages.owner_of_new(Some(second)).is_err());
        let forbidden = actor.authorize(Action::Read, &resource.of_installation()).unwrap_err();
        assert!(forbidden.to_string().contains("for the whole installation"), "{forbidden}");
        assert_eq!(actor.permissions.only_organization(), None);
        let of_one = Permissions::in_organizations([(first, Role::Viewer)]);
        assert_eq!(of_one.only_organization(), Some(first));
        let of_one = Actor { permissions: of_one, ..actor.clone() };
        assert_ne!(of_one.caller(), actor.caller(), "tokens of one name in two organizations share no limit");
        let nobody = Actor { permissions: Permissions::default(), ..actor };
        assert_eq!(nobody.authorize(Action::Read, &resource), Err(Forbidden::role(Role::Viewer)));
        assert_eq!(Scope::system().owner_of_new(None), Ok(OrganizationId::DEFAULT));
    }

    #[test]
    fn distinct_bytes_make_distinct_tokens() {
        let low = TokenSecret::from_random([0; 32]);
        let high = TokenSecret::from_random([255; 32]);
        assert_ne!(low, high);
        assert!(low.expose().starts_with("swt_0000"));
    }

    proptest! {
        #[test]
        fn a_mistyped_token_is_recognised(bytes: [u8; 32], at in 4usize..53, to in 0usize..62) {
            let token = TokenSecret::from_random(bytes);
            prop_assert_eq!(TokenSecret::parse(token.expose()), Some(token.clone()));
            let mut typo = token.expose().as_bytes().to_vec();
            prop_assume!(typo[at] != BASE62[to]);
            typo[at] = BASE62[to];
            prop_assert_eq!(TokenSecret::parse(&String::from_utf8(typo).unwrap()), None);
        }
    }
}
