//! API tokens.

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::list::list;
use crate::domain::access::{ApiToken, Role, TokenSecret};

list! {
    /// All tokens.
    ApiTokenList { api_tokens: ApiTokenView }
}

/// A token without its secret.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = ApiToken)]
pub(crate) struct ApiTokenView {
    id: Uuid,
    /// Where it counts. Absent: in the whole installation.
    organization_id: Option<Uuid>,
    /// Its purpose.
    #[schema(example = "dashboard")]
    name: String,
    role: Role,
    created_at: DateTime,
    expires_at: Option<DateTime>,
}

impl From<ApiToken> for ApiTokenView {
    fn from(token: ApiToken) -> Self {
        let ApiToken { id, organization_id, name, role, created_at, expires_at } = token;
        let organization_id = organization_id.map(|id| id.0);
        Self { id: id.0, organization_id, name, role, created_at, expires_at }
    }
}

/// A new token.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewApiToken {
    #[serde(flatten)]
    api_token: ApiTokenView,
    /// The token itself. It is shown only once.
    #[schema(pattern = "^swt_[0-9A-Za-z]{49}$")]
    token: String,
}

impl From<(ApiToken, TokenSecret)> for NewApiToken {
    fn from((token, secret): (ApiToken, TokenSecret)) -> Self {
        Self { api_token: token.into(), token: secret.expose().to_owned() }
    }
}
