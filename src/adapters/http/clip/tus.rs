//! The headers of the tus protocol 1.0 (<https://tus.io/protocols/resumable-upload>).

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;

use crate::adapters::http::extract::number;
use crate::adapters::http::problem::{Problem, ProblemType};
use crate::domain::Invalid;
use crate::domain::clip::{Clip, ClipState, MAX_UPLOAD};

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");
const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");

/// A header of the protocol.
type TusHeader = (HeaderName, String);

/// The only version.
const ONE: &str = "1.0.0";
/// In every answer.
pub(super) const VERSION: [(HeaderName, &str); 1] = [(TUS_RESUMABLE, ONE)];

/// The answer with the version, also if it is a problem.
pub(super) fn answer(result: Result<impl IntoResponse, Problem>) -> Response {
    let mut response = result.into_response();
    let headers = response.headers_mut();
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(ONE));
    if response.status() == StatusCode::PRECONDITION_FAILED {
        response.headers_mut().insert(TUS_VERSION, HeaderValue::from_static(ONE));
    }
    response
}

/// What a client means that can send POST only.
pub(super) enum Override {
    Patch,
    Delete,
}

/// The method that a client means.
pub(super) fn method(headers: &HeaderMap) -> Result<Override, Invalid> {
    match headers.get(METHOD_OVERRIDE).map(HeaderValue::as_bytes) {
        Some(b"PATCH") => Ok(Override::Patch),
        Some(b"DELETE") => Ok(Override::Delete),
        _ => Err(Invalid::one("X-HTTP-Method-Override", "must be PATCH or DELETE")),
    }
}

/// Refuses extensions of the protocol that we do not have. A client that uses one unasked would get clips of parts.
pub(super) fn check_extensions(headers: &HeaderMap) -> Result<(), Invalid> {
    for (name, shown, rule) in [
        (
            UPLOAD_CONCAT,
            "Upload-Concat",
            "is not supported: send the file as one upload (tus-js-client: parallelUploads 1)",
        ),
        (
            UPLOAD_DEFER_LENGTH,
            "Upload-Defer-Length",
            "is not supported: send the size of the file in Upload-Length",
        ),
    ] {
        if headers.contains_key(name) {
            return Err(Invalid::one(shown, rule));
        }
    }
    Ok(())
}

/// What the answer to OPTIONS says.
pub(super) fn abilities() -> AppendHeaders<[TusHeader; 3]> {
    AppendHeaders([
        (TUS_VERSION, ONE.to_owned()),
        (TUS_EXTENSION, "creation,termination,expiration".to_owned()),
        (TUS_MAX_SIZE, MAX_UPLOAD.to_string()),
    ])
}

/// Where an upload is.
pub(super) fn state(clip: &Clip) -> AppendHeaders<Vec<TusHeader>> {
    let stored = match clip.state {
        ClipState::Uploading { offset, .. } => offset,
        _ => clip.size,
    };
    let metadata = format!("filename {}", STANDARD.encode(clip.name.as_str()));
    let mut headers = vec![
        (UPLOAD_OFFSET, stored.to_string()),
        (UPLOAD_LENGTH, clip.size.to_string()),
        (UPLOAD_METADATA, metadata),
    ];
    if let ClipState::Uploading { expires_at, .. } = clip.state
        && let Some(at) = DateTime::from_timestamp_micros(expires_at.micros())
    {
        headers.push((UPLOAD_EXPIRES, at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()));
    }
    AppendHeaders(headers)
}

/// Refuses another version of the protocol. Clients that do not name one are taken to mean ours.
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(TUS_RESUMABLE) {
        Some(version) if version != ONE => Err(Problem::new(
            ProblemType::TUS_VERSION,
            "Tus-Resumable must be 1.0.0, the only supported version.",
        )),
        _ => Ok(()),
    }
}

pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(CONTENT_TYPE) {
        Some(kind) if kind == "application/offset+octet-stream" => Ok(()),
        _ => {
            let detail = "Send a part of the file, with Content-Type: application/offset+octet-stream.";
            Err(Problem::new(ProblemType::UNSUPPORTED_MEDIA_TYPE, detail))
        }
    }
}

/// Another request continues the same upload.
pub(super) fn overtaken() -> Problem {
    let detail = "Another request continues this upload. Read Upload-Offset with HEAD to see how far it is.";
    Problem::new(ProblemType::UPLOAD_OFFSET, detail)
}

/// The size of the file.
pub(super) fn upload_length(headers: &HeaderMap) -> Result<u64, Invalid> {
    required(headers, &UPLOAD_LENGTH, "Upload-Length")
}

/// Where the body begins.
pub(super) fn upload_offset(headers: &HeaderMap) -> Result<u64, Invalid> {
    required(headers, &UPLOAD_OFFSET, "Upload-Offset")
}

fn required(headers: &HeaderMap, name: &HeaderName, field: &str) -> Result<u64, Invalid> {
    let text = headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    number(field, text, 0..=u64::MAX)?
        .ok_or_else(|| Invalid::one(field, "is missing: it must be a number of bytes"))
}

/// The name of the file.
pub(super) fn file_name(headers: &HeaderMap) -> Result<String, Invalid> {
    let name =
        metadata(headers, "filename")?.map_or_else(|| metadata(headers, "name"), |name| Ok(Some(name)))?;
    let rule = "must contain `filename` and the name of the file in base64";
    name.ok_or_else(|| Invalid::one(METADATA, rule))
}

/// The organization that is to own the clip.
pub(super) fn owner(headers: &HeaderMap) -> Result<Option<String>, Invalid> {
    metadata(headers, "organization_id")
}

const METADATA: &str = "Upload-Metadata";

/// A value of the metadata.
fn metadata(headers: &HeaderMap, wanted: &str) -> Result<Option<String>, Invalid> {
    let text = headers.get(UPLOAD_METADATA).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut pairs = text.split(',').filter_map(|pair| pair.trim().split_once(' '));
    let Some((_, value)) = pairs.find(|(name, _)| *name == wanted) else { return Ok(None) };
    let value = STANDARD.decode(value.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let rule = format!("must contain the value of `{wanted}` as UTF-8 in base64");
    value.map(Some).ok_or_else(|| Invalid::one(METADATA, rule))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use streamward_test_support::fuzz::{fuzz, texts};

    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn name_of_the_file_is_in_the_metadata() {
        for (metadata, expected) in [
            ("filename aW50cm8ubXA0", Some("intro.mp4")),
            ("relativePath bnVsbA==,name aW50cm8ubXA0,type dmlkZW8vbXA0", Some("intro.mp4")),
            ("is_confidential,name w6QubXA0", Some("ä.mp4")),
            ("name eA==, filename eQ==", Some("y")),
            ("filename !!!", None),
            ("filename /w==", None),
            ("filename", None),
            ("", None),
        ] {
            let found = file_name(&headers(UPLOAD_METADATA, metadata));
            assert_eq!(found.as_deref().ok(), expected, "{metadata:?}");
        }
    }

    #[test]
    fn lengths_are_whole_numbers() {
        assert_eq!(upload_length(&headers(UPLOAD_LENGTH, "10")).ok(), Some(10));
        for bad in ["-1", "+1", "1.5", "99999999999999999999", "x", ""] {
            let refused = upload_offset(&headers(UPLOAD_OFFSET, bad)).unwrap_err();
            assert_eq!(refused.0[0].field, "Upload-Offset", "{bad:?}");
        }
        assert!(upload_length(&HeaderMap::new()).is_err());
    }

    #[test]
    fn any_metadata_is_read_or_refused() {
        fuzz(&texts(&["filename aW50cm8ubXA0,name eA=="]), |text| {
            if let Ok(value) = HeaderValue::from_str(&text) {
                let headers = HeaderMap::from_iter([(UPLOAD_METADATA, value)]);
                let _ = (file_name(&headers), owner(&headers));
            }
        });
    }
}
