//! Sealed secrets.

use async_trait::async_trait;

use super::error::corrupt;
use super::store::SqlStore;
use crate::ports::{Result, SecretStore};

statements! {
    INSERT = ["INSERT INTO secrets (name, sealed) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"];
    GET = ["SELECT sealed FROM secrets WHERE name = $1"];
}

#[async_trait]
impl SecretStore for SqlStore {
    async fn seal_if_absent(&self, name: &str, sealed: &str) -> Result<String> {
        self.db.write::<()>(INSERT, args![name, sealed]).await?;
        self.sealed(name).await?.ok_or_else(|| corrupt(format!("the secret {name} is gone")))
    }

    async fn sealed(&self, name: &str) -> Result<Option<String>> {
        self.db.row(GET, args![name]).await
    }
}
