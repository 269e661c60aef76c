//! Use-cases of users: who may sign in, and what they may do.
//!
//! `service.rs` manages users. `sign_in.rs` opens sessions, `sessions.rs` recognises, lists and ends them. `provider.rs` opens
//! them for people who sign in with a provider. `password.rs`,
//! `second_factor.rs`, `links.rs` and `mail.rs` are about how a person proves who they are.

mod links;
mod mail;
mod password;
mod provider;
mod providers;
mod reset_queue;
mod second_factor;
mod service;
mod sessions;
mod sign_in;

pub use links::{LinkForm, NewLink};
pub use mail::ResetMails;
pub use password::PasswordForm;
pub use provider::{BegunSignIn, ProviderAnswer};
pub use providers::{Provider, Providers};
pub use second_factor::NewTotp;
pub use service::{RoleDraft, UserDraft, UserSettings, Users};
pub use sessions::CurrentSession;
pub use sign_in::{OpenedSession, SignInForm, TokenForm};
