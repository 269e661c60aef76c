//! Organizations.

use async_trait::async_trait;

use super::args::newest;
use super::commit::commit;
use super::dialect::Sql;
use super::row::{NewRow, rows};
use super::store::SqlStore;
use crate::domain::OrganizationId;
use crate::domain::access::Scope;
use crate::domain::organization::{Organization, OrganizationName};
use crate::domain::page::{Newest, Page};
use crate::ports::{Change, OrganizationDeletion, OrganizationStore, OrganizationWrite, Result};

texts!(OrganizationName);

table! {
    organizations: Organization { id uuid, name text, created_at int, updated_at int }
}

statements! {
    // If two create at the same moment, the unique index on names decides.
    INSERT = [[insert organizations], " WHERE true ON CONFLICT (lower(name)) DO NOTHING"];
    GET = [[select organizations], " WHERE id = $1 AND (id IN ", [ids "$2"], " OR $2 IS NULL)"];
    // New rows of the organization wait for this lock, because they refer to it.
    GET_LOCKED = [[select organizations], " WHERE id = $1 AND (id IN ", [ids "$2"], " OR $2 IS NULL)", [lock]];
    PAGE = [
        [select organizations], " WHERE (id IN ", [ids "$4"], " OR $4 IS NULL) AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    UPDATE = [[update organizations]];
    BROADCASTERS = ["SELECT id FROM broadcasters WHERE organization_id = $1 LIMIT 1"];
    CHANNELS = ["SELECT id FROM channels WHERE organization_id = $1 LIMIT 1"];
    CLIPS = ["SELECT id FROM clips WHERE organization_id = $1 LIMIT 1"];
    STREAMERS = ["SELECT id FROM streamers WHERE organization_id = $1 LIMIT 1"];
    STUDIOS = ["SELECT id FROM studios WHERE organization_id = $1 LIMIT 1"];
    DELETE_TOKENS = ["DELETE FROM api_tokens WHERE organization_id = $1"];
    DELETE_DELIVERIES = [
        "DELETE FROM notification_deliveries WHERE notification_id IN \
         (SELECT id FROM notifications WHERE organization_id = $1)",
    ];
    DELETE_NOTIFICATIONS = ["DELETE FROM notifications WHERE organization_id = $1"];
    DELETE = ["DELETE FROM organizations WHERE id = $1"];
}

/// What keeps an organization from being deleted. A channel has a broadcaster, so channels come first.
const OWNED: [(&str, Sql); 5] = [
    ("channels", CHANNELS),
    ("broadcasters", BROADCASTERS),
    ("clips", CLIPS),
    ("streamers", STREAMERS),
    ("studios", STUDIOS),
];

#[async_trait]
impl OrganizationStore for SqlStore {
    async fn create_organization(
        &self,
        organization: &Organization,
        by: Change<'_>,
    ) -> Result<OrganizationWrite<()>> {
        let mut tx = self.db.begin().await?;
        if tx.run(INSERT, args![rows([NewRow::of(organization)])]).await? == 0 {
            return tx.rollback(OrganizationWrite::NameTaken).await;
        }
        commit(tx, by.at(), by.audit, organization.id, &[]).await?;
        Ok(OrganizationWrite::Done(()))
    }

    async fn organization(&self, scope: &Scope, id: OrganizationId) -> Result<Option<Organization>> {
        self.db.row(GET, args![id, scope]).await
    }

    async fn organizations(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Organization>> {
        self.db.rows(PAGE, [newest(page), args![scope]].concat()).await
    }

    async fn rename_organization(
        &self,
        id: OrganizationId,
        name: &OrganizationName,
        by: Change<'_>,
    ) -> Result<OrganizationWrite<Organization>> {
        let mut tx = self.db.begin().await?;
        let Some(organization) = tx.row::<Organization>(GET_LOCKED, args![id, by.scope]).await? else {
            return tx.rollback(OrganizationWrite::NotFound).await;
        };
        let organization = organization.renamed(name.clone(), by.at());
        if !tx.run_if_free(UPDATE, args![rows([NewRow::of(&organization)])]).await? {
            return tx.rollback(OrganizationWrite::NameTaken).await;
        }
        commit(tx, by.at(), by.audit, id, &[]).await?;
        Ok(OrganizationWrite::Done(organization))
    }

    async fn delete_organization(&self, id: OrganizationId, by: Change<'_>) -> Result<OrganizationDeletion> {
        let mut tx = self.db.begin().await?;
        if tx.row::<Organization>(GET_LOCKED, args![id, by.scope]).await?.is_none() {
            return tx.rollback(OrganizationDeletion::NotFound).await;
        }
        for (kind, statement) in OWNED {
            if tx.row::<uuid::Uuid>(statement, args![id]).await?.is_some() {
                return tx.rollback(OrganizationDeletion::Owns(kind)).await;
            }
        }
        for statement in [DELETE_TOKENS, DELETE_DELIVERIES, DELETE_NOTIFICATIONS] {
            tx.run(statement, args![id]).await?;
        }
        tx.run(DELETE, args![id]).await?;
        commit(tx, by.at(), by.audit, id, &[]).await?;
        Ok(OrganizationDeletion::Deleted)
    }
}
