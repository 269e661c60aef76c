//! `/users`: people who sign in. `session.rs` has `/session`, `link.rs` the page and the routes of one-time links,
//! `provider.rs` signs in with a provider.

mod dto;
mod link;
mod provider;
mod session;
mod state;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::extract::ChildId;
use super::handler::{
    Admin, Answer, Call, Created, Done, Id, Json, NoContent, Problem, Routes, State, StrictJson, created, ok,
    routes,
};
use super::list::{ListAnswer, ListCall, PageQuery};
use crate::adapters::views::{
    NewSecondFactor, NewUserLink, RecoveryCodes, UserList, UserSessionList, UserView,
};
use crate::app::user::Users;
use crate::domain::{SessionId, UserId};
use dto::{CodeJson, CurrentPasswordJson, DraftJson, PasswordJson, PatchJson};
use state::{user_agent, with_cookies};

pub use state::UserState;

/// The routes.
pub fn routes() -> Routes<UserState> {
    Routes::new("users")
        .about("People who sign in, and their sessions.")
        .management(Admin, "user", routes!(list_users))
        .management(Admin, "user", routes!(create_user))
        .for_all("user", routes!(read_user))
        .management(Admin, "user", routes!(update_user, delete_user))
        .for_all("user", routes!(set_password))
        .management(Admin, "user", routes!(create_user_link))
        .management(Admin, "api_token", routes!(create_setup_link))
        .for_all("session", routes!(list_user_sessions, end_user_sessions))
        .for_all("session", routes!(end_user_session))
        .for_all("user", routes!(create_second_factor))
        .for_all("user", routes!(confirm_second_factor))
        .for_all("user", routes!(remove_second_factor))
        .for_all("session", routes!(session::read_session))
        .anyone(routes!(session::sign_in))
        .anyone(routes!(session::sign_out))
        .anyone(routes!(provider::begin_sign_in))
        .anyone(routes!(provider::finish_sign_in))
        .anyone(routes!(link::link_page))
        .anyone(routes!(link::redeem_link))
        .anyone(routes!(link::request_password_reset))
}

/// List users
///
/// Newest first. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(get, path = "/users", params(PageQuery), responses((status = 200, body = UserList)))]
async fn list_users(call: ListCall<Users, PageQuery>) -> ListAnswer {
    call.answer(|_, user| UserView::from(user)).await
}

/// Create a user
///
/// Without a password, the person sets one with a one-time link.
#[utoipa::path(
    post, path = "/users", request_body = DraftJson,
    responses(
        (status = 201, body = UserView),
        (status = 409, description = "`email-taken`: Another user has the e-mail address"),
    ),
)]
async fn create_user(
    Call(users, actor): Call<Users>,
    StrictJson(draft): StrictJson<DraftJson>,
) -> Created<UserView> {
    let (draft, password) = draft.into();
    let made = users.create(&actor, &draft, password.as_deref()).await?;
    created(Some(format!("/users/{}", made.id)), made)
}

/// Read a user
///
/// Everybody may read themselves; admins of the installation may read everybody.
#[utoipa::path(get, path = "/users/{id}", responses((status = 200, body = UserView)))]
async fn read_user(Call(users, actor): Call<Users>, Id(id): Id<UserId>) -> Answer<UserView> {
    ok(users.get(&actor, id).await?)
}

/// Change a user
///
/// If the permissions change, all sessions of the user end.
#[utoipa::path(
    patch, path = "/users/{id}", request_body = PatchJson,
    responses(
        (status = 200, body = UserView),
        (status = 409, description = "`email-taken`: Another user has the e-mail address. `last-administrator`: Nobody \
                                      could manage users any more"),
    ),
)]
async fn update_user(
    Call(users, actor): Call<Users>,
    Id(id): Id<UserId>,
    StrictJson(patch): StrictJson<PatchJson>,
) -> Answer<UserView> {
    ok(users.update(&actor, id, &patch.into()).await?)
}

/// Delete a user
///
/// All sessions of the user end.
#[utoipa::path(
    delete, path = "/users/{id}",
    responses(
        (status = 204, description = "The user is deleted"),
        (status = 409, description = "`last-administrator`: Nobody could manage users any more"),
    ),
)]
async fn delete_user(Call(users, actor): Call<Users>, Id(id): Id<UserId>) -> Done {
    users.delete(&actor, id).await?;
    Ok(NoContent)
}

/// Set a password
///
/// All sessions of the user end. People change their own with their current one, and get a new cookie. Admins of the
/// installation set that of others.
#[utoipa::path(
    post, path = "/users/{id}/password", request_body = PasswordJson,
    responses(
        (status = 204, description = "The password is set", headers(("Set-Cookie" = String))),
        (status = 409, description = "`no-password`: The user signs in with a provider"),
        (status = 429, description = "`too-many-attempts`: Too many attempts failed"),
    ),
)]
async fn set_password(
    State(state): State<UserState>,
    Call(users, actor): Call<Users>,
    Id(id): Id<UserId>,
    parts: Parts,
    StrictJson(form): StrictJson<PasswordJson>,
) -> Result<Response, Problem> {
    let form = form.with(user_agent(&parts.headers))?;
    let opened = users.set_password(&actor, id, &form).await?;
    let longest = users.terms().longest;
    let cookie = opened.and_then(|opened| state.cookies.session(&parts, opened.secret.expose(), longest));
    Ok(with_cookies(StatusCode::NO_CONTENT.into_response(), [cookie]))
}

/// Create a setup link
///
/// It opens the page and signs in there, once, as an admin of the installation. `GET /api-tokens` lists it; deleting it there
/// makes it void, and ends its session.
#[utoipa::path(post, path = "/setup-links", responses((status = 201, body = NewUserLink)))]
async fn create_setup_link(Call(users, actor): Call<Users>) -> Created<NewUserLink> {
    created(None, users.create_setup_link(&actor).await?)
}

/// Create a one-time link
///
/// Whoever opens it within three days sets the password of the user, once. It is shown only in this answer.
#[utoipa::path(post, path = "/users/{id}/link", responses(
    (status = 201, body = NewUserLink),
    (status = 409, description = "`no-password`: The user signs in with a provider"),
))]
async fn create_user_link(Call(users, actor): Call<Users>, Id(id): Id<UserId>) -> Created<NewUserLink> {
    created(None, users.create_link(&actor, id).await?)
}

/// List the sessions of a user
///
/// People see their own; admins of the installation see those of everybody.
#[utoipa::path(get, path = "/users/{id}/sessions", responses((status = 200, body = UserSessionList)))]
async fn list_user_sessions(
    Call(users, actor): Call<Users>,
    Id(id): Id<UserId>,
) -> Result<Json<UserSessionList>, Problem> {
    ok(users.sessions(&actor, id).await?)
}

/// End all sessions of a user
///
/// Also the one of this call, if it is one of them.
#[utoipa::path(
    delete, path = "/users/{id}/sessions", responses((status = 204, description = "They have ended"))
)]
async fn end_user_sessions(Call(users, actor): Call<Users>, Id(id): Id<UserId>) -> Done {
    users.end_sessions(&actor, id).await?;
    Ok(NoContent)
}

/// End a session of a user
#[utoipa::path(
    delete, path = "/users/{id}/sessions/{session_id}",
    responses((status = 204, description = "It has ended")),
)]
async fn end_user_session(
    Call(users, actor): Call<Users>,
    ChildId(id, session): ChildId<UserId, SessionId>,
) -> Done {
    users.end_session(&actor, id, session).await?;
    Ok(NoContent)
}

/// Make a second factor
///
/// People make their own, with their password. It is shown only in this answer, and counts from its first code on.
#[utoipa::path(
    post, path = "/users/{id}/second-factor", request_body = CurrentPasswordJson,
    responses(
        (status = 201, body = NewSecondFactor),
        (status = 409, description = "`second-factor-state`: One is set up already. `no-password`: The user signs in with a \
                                      provider"),
        (status = 429, description = "`too-many-attempts`: Too many attempts failed"),
    ),
)]
async fn create_second_factor(
    Call(users, actor): Call<Users>,
    Id(id): Id<UserId>,
    StrictJson(form): StrictJson<CurrentPasswordJson>,
) -> Created<NewSecondFactor> {
    created(None, users.offer_totp(&actor, id, form.secret().as_ref()).await?)
}

/// Confirm a second factor
///
/// With its first code. From then on, a code is needed to sign in. The recovery codes are shown only in this answer.
#[utoipa::path(
    post, path = "/users/{id}/second-factor/confirm", request_body = CodeJson,
    responses(
        (status = 200, body = RecoveryCodes),
        (status = 409, description = "`second-factor-state`: None waits for its first code"),
    ),
)]
async fn confirm_second_factor(
    Call(users, actor): Call<Users>,
    Id(id): Id<UserId>,
    StrictJson(form): StrictJson<CodeJson>,
) -> Answer<RecoveryCodes> {
    ok(users.confirm_totp(&actor, id, &form.secret()?).await?)
}

/// Remove a second factor
///
/// People remove their own, with their password. Admins of the installation remove that of others.
#[utoipa::path(
    post, path = "/users/{id}/second-factor/remove", request_body = CurrentPasswordJson,
    responses(
        (status = 204, description = "It is removed"),
        (status = 409, description = "`second-factor-state`: There is none"),
        (status = 429, description = "`too-many-attempts`: Too many attempts failed"),
    ),
)]
async fn remove_second_factor(
    Call(users, actor): Call<Users>,
    Id(id): Id<UserId>,
    StrictJson(form): StrictJson<CurrentPasswordJson>,
) -> Done {
    users.remove_totp(&actor, id, form.secret().as_ref()).await?;
    Ok(NoContent)
}
