//! `/clips`: uploads by the tus protocol 1.0, and clips. The address of an upload is that of its clip.

mod health;
mod tus;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::handler::{Answer, Call, Done, Id, NoContent, Operator, Problem, Routes, Viewer, ok, routes};
use super::list::{ListAnswer, ListCall, PageQuery};
use super::upload::{Upload, UploadLimits};
use crate::adapters::views::{ClipList, ClipView};
use crate::app::clip::{Append, Clips};
use crate::domain::access::Actor;
use crate::domain::clip::{ClipId, MAX_UPLOAD};
use health::ClipsHealth;

pub use health::health;

/// The limits of one part of an upload.
const LIMITS: UploadLimits = UploadLimits { max_bytes: MAX_UPLOAD, idle: Duration::from_secs(30) };

/// The routes.
pub fn routes() -> Routes<Arc<Clips>> {
    Routes::new("clips")
        .about("Uploaded files, prepared for playout. Uploads use the tus protocol 1.0 (<https://tus.io>), with creation, termination and expiration.")
        .health::<ClipsHealth>()
        .management(Viewer, "clip", routes!(list_clips))
        .management(Operator, "clip", routes!(create_clip))
        .anyone(routes!(describe_uploads))
        .management(Viewer, "clip", routes!(read_clip))
        .management(Operator, "clip", routes!(read_upload, delete_clip))
        .uploads(Operator, "clip", routes!(continue_upload, override_method), LIMITS)
}

/// List clips
///
/// Newest first. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(get, path = "/clips", params(PageQuery), responses((status = 200, body = ClipList)))]
async fn list_clips(call: ListCall<Clips, PageQuery>) -> ListAnswer {
    call.answer(|_, clip| ClipView::from(clip)).await
}

/// Begin an upload
///
/// The clip's name is `filename` or `name` of `Upload-Metadata`, its owner `organization_id`; without it: the first
/// organization, or the only one of the client. Continue at the address in `Location`.
#[utoipa::path(
    post, path = "/clips",
    params(
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`"),
        ("Upload-Length" = Option<String>, Header, description = "The size of the file in bytes, at most 10 GiB. Required."),
        ("Upload-Metadata" = Option<String>, Header, description = "Pairs of a name and a value in base64, such as `filename aW50cm8ubXA0`. Required."),
    ),
    responses(
        (status = 201, description = "The upload has begun"),
        (status = 409, description = "`owner-gone`: The organization was deleted meanwhile"),
        (status = 412, description = "`tus-version`: Another version of the protocol"),
        (status = 507, description = "`media-full`: There is no room for the file"),
    )
)]
async fn create_clip(Call(clips, actor): Call<Clips>, headers: HeaderMap) -> Response {
    tus::answer(begin(&clips, &actor, &headers).await)
}

async fn begin(clips: &Clips, actor: &Actor, headers: &HeaderMap) -> Result<Response, Problem> {
    tus::check_version(headers)?;
    tus::check_extensions(headers)?;
    let (size, name) = (tus::upload_length(headers)?, tus::file_name(headers)?);
    let owner = tus::owner(headers)?;
    let clip = clips.create_upload(actor, owner.as_deref(), &name, size).await?;
    let location = [(axum::http::header::LOCATION, format!("/clips/{}", clip.id))];
    Ok((StatusCode::CREATED, location, tus::state(&clip)).into_response())
}

/// Describe the upload protocol
#[utoipa::path(options, path = "/clips", responses((status = 204, description = "The version and the extensions")))]
async fn describe_uploads() -> Response {
    (StatusCode::NO_CONTENT, tus::VERSION, tus::abilities()).into_response()
}

/// Read a clip
#[utoipa::path(get, path = "/clips/{id}", responses((status = 200, body = ClipView)))]
async fn read_clip(Call(clips, actor): Call<Clips>, Id(id): Id<ClipId>) -> Answer<ClipView> {
    ok(clips.get(&actor, id).await?)
}

/// Read how much is uploaded
///
/// `Upload-Offset` of the answer says where to continue.
#[utoipa::path(
    head, path = "/clips/{id}",
    responses(
        (status = 200, description = "`Upload-Offset`, `Upload-Length`"),
        (status = 410, description = "`upload-gone`: The upload expired"),
        (status = 412, description = "`tus-version`: Another version of the protocol"),
    )
)]
async fn read_upload(Call(clips, actor): Call<Clips>, Id(id): Id<ClipId>, headers: HeaderMap) -> Response {
    let found = async {
        tus::check_version(&headers)?;
        let clip = clips.upload(&actor, id).await?;
        Ok::<_, Problem>((StatusCode::OK, tus::state(&clip)))
    };
    tus::answer(found.await)
}

/// Delete a clip
///
/// Its files are removed. An upload that is not complete is ended. A clip that a channel uses is not deleted.
#[utoipa::path(
    delete, path = "/clips/{id}",
    responses(
        (status = 204, description = "It is deleted"),
        (status = 409, description = "`clip-in-use`: A channel uses the clip"),
    )
)]
async fn delete_clip(Call(clips, actor): Call<Clips>, Id(id): Id<ClipId>) -> Response {
    tus::answer(delete(&clips, &actor, id).await)
}

async fn delete(clips: &Clips, actor: &Actor, id: ClipId) -> Done {
    clips.delete(actor, id).await?;
    Ok(NoContent)
}

/// Continue an upload
///
/// The body is the file from byte `Upload-Offset` on, or a part of that. What was received before the connection broke
/// is kept.
#[utoipa::path(
    patch, path = "/clips/{id}",
    params(
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`"),
        ("Upload-Offset" = Option<String>, Header, description = "Where the body begins in the file. Required."),
    ),
    request_body(content = String, content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, description = "It is stored; `Upload-Offset` says where to continue"),
        (status = 409, description = "`upload-offset`: The upload continues at another byte"),
        (status = 410, description = "`upload-gone`: The upload expired"),
        (status = 412, description = "`tus-version`: Another version of the protocol"),
        (status = 507, description = "`media-full`: The disk is full"),
    )
)]
async fn continue_upload(
    Call(clips, actor): Call<Clips>,
    Id(id): Id<ClipId>,
    headers: HeaderMap,
    upload: Upload,
) -> Response {
    tus::answer(append(&clips, &actor, (id, &headers), upload).await)
}

/// Continue or end an upload without PATCH and DELETE
///
/// For clients behind a proxy that passes on POST only: `X-HTTP-Method-Override` has the method.
#[utoipa::path(
    post, path = "/clips/{id}",
    params(
        ("X-HTTP-Method-Override" = Option<String>, Header, description = "`PATCH` or `DELETE`. Required."),
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`"),
        ("Upload-Offset" = Option<String>, Header, description = "As with PATCH"),
    ),
    request_body(content = String, content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, description = "As the answer of PATCH or DELETE"),
        (status = 409, description = "`upload-offset`: The upload continues at another byte. `clip-in-use`: A channel uses the clip"),
        (status = 410, description = "`upload-gone`: The upload expired"),
        (status = 412, description = "`tus-version`: Another version of the protocol"),
        (status = 507, description = "`media-full`: The disk is full"),
    )
)]
async fn override_method(
    Call(clips, actor): Call<Clips>,
    Id(id): Id<ClipId>,
    headers: HeaderMap,
    upload: Upload,
) -> Response {
    match tus::method(&headers) {
        Ok(tus::Override::Patch) => tus::answer(append(&clips, &actor, (id, &headers), upload).await),
        Ok(tus::Override::Delete) => tus::answer(delete(&clips, &actor, id).await),
        Err(invalid) => tus::answer(Err::<Response, _>(invalid.into())),
    }
}

async fn append(
    clips: &Arc<Clips>,
    actor: &Actor,
    (id, headers): (ClipId, &HeaderMap),
    upload: Upload,
) -> Result<Response, Problem> {
    tus::check_version(headers)?;
    tus::check_content_type(headers)?;
    let offset = tus::upload_offset(headers)?;
    let mut append = clips.append(actor, id, offset).await?;
    let received = receive(upload, &mut append).await;
    // What arrived before a connection broke is kept.
    let clip = append.acknowledge().await?;
    received?;
    Ok((StatusCode::NO_CONTENT, tus::state(clip)).into_response())
}

/// Stores the body, until it ends or breaks off, or another request continues the upload.
async fn receive(mut upload: Upload, append: &mut Append) -> Result<(), Problem> {
    let is_over = append.is_over();
    loop {
        let chunk = tokio::select! {
            biased;
            () = is_over.cancelled() => return Err(tus::overtaken()),
            chunk = upload.chunk() => chunk?,
        };
        let Some(chunk) = chunk else { return Ok(()) };
        append.write(&chunk).await?;
    }
}
