//! All problem types: the lists of all slices.

use axum::http::StatusCode;

use super::types::ProblemType;
use super::{
    access, channels, clips, general, organizations, publish, stream_keys, streamers, studios, users,
};

impl ProblemType {
    /// All types, in the order of their status.
    pub fn all() -> Vec<&'static Self> {
        let slices = [
            general::TYPES,
            clips::TYPES,
            stream_keys::TYPES,
            channels::TYPES,
            streamers::TYPES,
            studios::TYPES,
            organizations::TYPES,
            access::TYPES,
            users::TYPES,
            publish::TYPES,
        ];
        let mut all = slices.concat();
        all.sort_by_key(|kind| kind.status);
        all
    }

    /// The HTTP status of the answer.
    pub(in crate::adapters::http) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The type with this slug.
    pub fn by_slug(slug: &str) -> Option<&'static Self> {
        Self::all().into_iter().find(|kind| kind.slug == slug)
    }

    /// The general type for this status, for an answer of a library.
    pub(super) fn of_status(status: StatusCode) -> &'static Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::UNAUTHENTICATED,
            StatusCode::FORBIDDEN => Self::FORBIDDEN,
            StatusCode::NOT_FOUND => Self::UNKNOWN_ROUTE,
            StatusCode::METHOD_NOT_ALLOWED => Self::METHOD_NOT_ALLOWED,
            StatusCode::REQUEST_TIMEOUT => Self::REQUEST_TIMEOUT,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UNSUPPORTED_MEDIA_TYPE,
            StatusCode::SERVICE_UNAVAILABLE => Self::UNAVAILABLE,
            status if status.is_client_error() => Self::VALIDATION,
            _ => Self::INTERNAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slug_belongs_to_one_type() {
        for kind in ProblemType::all() {
            assert_eq!(ProblemType::by_slug(kind.slug), Some(kind));
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
        }
    }
}
