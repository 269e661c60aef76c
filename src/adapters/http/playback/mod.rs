//! `/playback-tokens`: who may watch where a token is needed. Only the answer that makes a token contains it.

mod dto;

use std::sync::Arc;

use axum::http::HeaderName;
use axum::http::header::CACHE_CONTROL;

use super::extract::StrictQuery;
use super::handler::{
    Admin, Answer, Call, Created, Done, Id, Json, NoContent, Operator, Routes, State, StrictJson, created,
    ok, routes,
};
use super::list::{ListAnswer, ListCall, PageQuery};
use crate::adapters::views::{
    JwksView, NewPlaybackTokenView, NewSigningKeyView, PlaybackTokenList, PlaybackTokenView,
    RevokedTokensView,
};
use crate::app::playback::Playback;
use crate::domain::playback::PlaybackTokenId;
use dto::{DraftJson, RevokeQuery, RotationJson};

/// The routes.
pub fn routes() -> Routes<Arc<Playback>> {
    Routes::new("playback tokens")
        .about("Who may watch where a token is needed.")
        .management(Operator, "playback_token", routes!(list_playback_tokens))
        .management(Operator, "playback_token", routes!(create_playback_token))
        .management(Operator, "playback_token", routes!(revoke_playback_tokens))
        .management(Operator, "playback_token", routes!(revoke_playback_token))
        .management(Admin, "playback_key", routes!(rotate_playback_key))
        .anyone(routes!(playback_keys))
}

/// List playback tokens
///
/// Newest first, without the tokens themselves. The whole list, or a page with `limit` or `cursor`. Tokens that expired
/// more than a day ago are gone.
#[utoipa::path(
    get, path = "/playback-tokens", params(PageQuery), responses((status = 200, body = PlaybackTokenList))
)]
async fn list_playback_tokens(call: ListCall<Playback, PageQuery>) -> ListAnswer {
    call.answer(|_, token| PlaybackTokenView::from(token)).await
}

/// Make a playback token
///
/// Who has it may watch these paths where `playback.access` or the stream key says `token`. It is shown only in this answer,
/// with ready links. Clients of an organization make tokens for their own streams only.
#[utoipa::path(
    post, path = "/playback-tokens", request_body = DraftJson, responses((status = 201, body = NewPlaybackTokenView)),
)]
async fn create_playback_token(
    Call(playback, actor): Call<Playback>,
    StrictJson(draft): StrictJson<DraftJson>,
) -> Created<NewPlaybackTokenView> {
    created(None, playback.create(&actor, &draft.into()).await?)
}

/// Revoke playback tokens by path
///
/// All that open the path, also those that open others too. Their sessions are ended.
#[utoipa::path(
    delete, path = "/playback-tokens", params(RevokeQuery), responses((status = 200, body = RevokedTokensView))
)]
async fn revoke_playback_tokens(
    Call(playback, actor): Call<Playback>,
    StrictQuery(query): StrictQuery<RevokeQuery>,
) -> Answer<RevokedTokensView> {
    ok(playback.revoke_for(&actor, &query.path()).await?)
}

/// Revoke a playback token
///
/// It is refused from then on, and its sessions are ended. Revoking it again has no effect.
#[utoipa::path(
    delete, path = "/playback-tokens/{id}", responses((status = 204, description = "It is revoked"))
)]
async fn revoke_playback_token(Call(playback, actor): Call<Playback>, Id(id): Id<PlaybackTokenId>) -> Done {
    playback.revoke(&actor, id).await?;
    Ok(NoContent)
}

/// Replace the key that signs playback tokens
///
/// The new key is published at once, and signs an hour later, when everybody who keeps the public keys has read it. Tokens of the
/// old key stay valid. This is also done by itself (`playback.key_rotation`). For administrators of the installation.
#[utoipa::path(
    post, path = "/playback-keys/rotate", request_body = RotationJson, responses((status = 200, body = NewSigningKeyView)),
)]
async fn rotate_playback_key(
    Call(playback, actor): Call<Playback>,
    StrictJson(how): StrictJson<RotationJson>,
) -> Answer<NewSigningKeyView> {
    ok(playback.rotate_key(&actor, how.at_once).await?)
}

/// Read the public keys of playback tokens
///
/// A JSON web key set (RFC 7517): whoever has it can verify tokens, such as MediaMTX with `authJWTJWKS`.
#[utoipa::path(get, path = "/.well-known/jwks.json", responses((status = 200, body = JwksView)))]
async fn playback_keys(
    State(playback): State<Arc<Playback>>,
) -> ([(HeaderName, &'static str); 1], Json<JwksView>) {
    ([(CACHE_CONTROL, "public, max-age=300")], Json(playback.public_keys().into()))
}
