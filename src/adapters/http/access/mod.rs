//! `/api-tokens`: who may call this API. Only the answer that creates a token contains it.

mod dto;

use std::sync::Arc;

use super::handler::{Admin, Call, Created, Done, Id, NoContent, Routes, StrictJson, created, routes};
use super::list::{ListAnswer, ListCall, PageQuery};
use crate::adapters::views::{ApiTokenList, ApiTokenView, NewApiToken};
use crate::app::access::Access;
use crate::domain::ApiTokenId;
use dto::DraftJson;

/// The routes.
pub fn routes() -> Routes<Arc<Access>> {
    Routes::new("api tokens")
        .about("Who may call this API.")
        .management(Admin, "api_token", routes!(list_api_tokens))
        .management(Admin, "api_token", routes!(create_api_token))
        .management(Admin, "api_token", routes!(delete_api_token))
}

/// List API tokens
///
/// Newest first, without their secrets. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(get, path = "/api-tokens", params(PageQuery), responses((status = 200, body = ApiTokenList)))]
async fn list_api_tokens(call: ListCall<Access, PageQuery>) -> ListAnswer {
    call.answer(|_, token| ApiTokenView::from(token)).await
}

/// Create an API token
///
/// The token is shown only in this answer.
#[utoipa::path(
    post, path = "/api-tokens", request_body = DraftJson,
    responses(
        (status = 201, body = NewApiToken),
        (status = 409, description = "`owner-gone`: The organization was deleted meanwhile"),
    ),
)]
async fn create_api_token(
    Call(access, actor): Call<Access>,
    StrictJson(draft): StrictJson<DraftJson>,
) -> Created<NewApiToken> {
    created(None, access.create_token(&actor, &draft.into()).await?)
}

/// Delete an API token
///
/// The token is invalid from then on.
#[utoipa::path(delete, path = "/api-tokens/{id}", responses((status = 204, description = "It is deleted")))]
async fn delete_api_token(Call(access, actor): Call<Access>, Id(id): Id<ApiTokenId>) -> Done {
    access.delete_token(&actor, id).await?;
    Ok(NoContent)
}
