//! People who sign in: who they are, how they prove it, and how often they may try.

mod attempts;
mod device;
mod link;
mod model;
mod password;
mod provider;
mod session;
mod totp;

pub use attempts::{AttemptKeys, Attempts, Subject};
pub use device::DeviceCookie;
pub use link::{LinkSecret, OneTimeLink};
pub use model::{Email, User, UserPatch};
pub use password::{Password, PasswordHash};
pub use provider::{Grant, Granted, Grants, Identity, Person, ProviderName, ReturnPath};
pub use session::{Session, SessionOwner, SessionSecret, SessionTerms};
pub use totp::{Credentials, RecoveryCode, StoredTotp, TotpSecret};
