//! The providers that people sign in with.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::user::{Grants, ProviderName};
use crate::ports::IdentityProvider;

/// A provider, and what its claim gives.
#[derive(Clone)]
pub struct Provider {
    /// The provider.
    pub client: Arc<dyn IdentityProvider>,
    /// What the values of the claim give.
    pub grants: Grants,
}

/// All providers, by name.
pub type Providers = BTreeMap<ProviderName, Provider>;
