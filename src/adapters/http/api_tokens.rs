//! `/api-tokens`: who may call this API. Only the answer that creates a token contains it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::authentication::Caller;
use super::extract::{Id, NoQuery, StrictJson};
use super::problem::Problem;
use super::routes::Routes;
use crate::app::access::{Access, ApiTokenDraft};
use crate::domain::access::{ApiToken, Role};
use crate::domain::{ApiTokenId, Timestamp};

/// A token without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiToken)]
pub(super) struct ApiTokenJson {
    id: Uuid,
    /// Its purpose.
    #[schema(example = "dashboard")]
    name: String,
    role: RoleJson,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    expires_at: Option<Timestamp>,
}

/// What a caller may do. Each role includes the ones before it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Role)]
pub(super) enum RoleJson {
    /// Reads everything but audit and tokens.
    Viewer,
    /// Also ends streams.
    Operator,
    /// Also manages broadcasters, keys and tokens, and reads the audit log.
    Admin,
}

impl From<ApiToken> for ApiTokenJson {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id.0,
            name: token.name,
            role: match token.role {
                Role::Viewer => RoleJson::Viewer,
                Role::Operator => RoleJson::Operator,
                Role::Admin => RoleJson::Admin,
            },
            created_at: token.created_at,
            expires_at: token.expires_at,
        }
    }
}

/// A new token.
#[derive(Serialize, ToSchema)]
pub(super) struct NewApiToken {
    #[serde(flatten)]
    api_token: ApiTokenJson,
    /// The token itself. It is shown only once.
    #[schema(pattern = "^swt_[0-9A-Za-z]{49}$")]
    token: String,
}

/// All tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiTokenList {
    api_tokens: Vec<ApiTokenJson>,
    count: usize,
}

/// A token to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiTokenDraft)]
pub(super) struct DraftJson {
    /// Its purpose.
    #[schema(value_type = String, required = true, example = "dashboard", min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(value_type = RoleJson, required = true)]
    role: Option<String>,
    /// When it expires; must be in the future.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// The routes.
pub fn routes() -> Routes<Arc<Access>> {
    Routes::new()
        .tag("api tokens", "Who may call this API.")
        .management("api_token", routes!(list_api_tokens, create_api_token))
        .management("api_token", routes!(delete_api_token))
}

/// List API tokens
///
/// Newest first, without their secrets.
#[utoipa::path(
    get,
    path = "/api-tokens",
    tag = "api tokens",
    responses((status = 200, body = ApiTokenList)),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn list_api_tokens(
    State(access): State<Arc<Access>>,
    Caller(actor): Caller,
    _: NoQuery,
) -> Result<Json<ApiTokenList>, Problem> {
    let found = access.tokens(&actor).await?;
    let api_tokens: Vec<ApiTokenJson> = found.into_iter().map(ApiTokenJson::from).collect();
    Ok(Json(ApiTokenList { count: api_tokens.len(), api_tokens }))
}

/// Create an API token
///
/// The token is shown only in this answer.
#[utoipa::path(
    post,
    path = "/api-tokens",
    tag = "api tokens",
    request_body = DraftJson,
    responses((status = 201, body = NewApiToken)),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn create_api_token(
    State(access): State<Arc<Access>>,
    Caller(actor): Caller,
    _: NoQuery,
    StrictJson(draft): StrictJson<DraftJson>,
) -> Result<(StatusCode, Json<NewApiToken>), Problem> {
    let draft = ApiTokenDraft {
        name: draft.name.unwrap_or_default(),
        role: draft.role.unwrap_or_default(),
        expires_at: draft.expires_at,
    };
    let (api_token, secret) = access.create_token(&actor, &draft).await?;
    let made = NewApiToken { api_token: api_token.into(), token: secret.expose().to_owned() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Delete an API token
///
/// The token is invalid from then on.
#[utoipa::path(
    delete,
    path = "/api-tokens/{id}",
    tag = "api tokens",
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "It is deleted")),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn delete_api_token(
    State(access): State<Arc<Access>>,
    Caller(actor): Caller,
    Id(id): Id<ApiTokenId>,
    _: NoQuery,
) -> Result<StatusCode, Problem> {
    access.delete_token(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
