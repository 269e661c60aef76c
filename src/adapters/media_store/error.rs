//! Errors of files and of buckets, in plain words.

use std::error::Error;
use std::io;

use crate::adapters::remote::repeat;
use crate::ports::MediaError;

/// Where Amazon's machines find the credentials of their role.
const METADATA: [&str; 2] = ["169.254.169.254", "169.254.170.2"];

/// The words of an error. They do not contain the path: that of the folder is in the configuration.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
pub(super) fn error(error: io::Error) -> MediaError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            MediaError::Full(error.to_string())
        }
        io::ErrorKind::NotFound => MediaError::Missing(error.to_string()),
        _ => MediaError::Io(error.to_string()),
    }
}

/// The words of an error of the bucket that people know by `name`, and what to do. An answer of the server is not
/// repeated, because it can contain the access key.
pub(super) fn bucket_error(error: &object_store::Error, name: &str) -> MediaError {
    let text = error.to_string();
    let code = between(&text, "<Code>", "</Code>");
    let words = match code {
        Some("NoSuchBucket") => "there is no such bucket: create it, or correct media.url".to_owned(),
        // The second one is what versitygw answers.
        Some("InvalidAccessKeyId" | "XAdminUserNotFound") => {
            "it does not know the access key: correct media.access_key_id".to_owned()
        }
        Some("SignatureDoesNotMatch") => {
            "the secret does not belong to the access key: correct media.secret_access_key".to_owned()
        }
        Some("AccessDenied" | "AllAccessDisabled" | "AccountProblem") => {
            "the access key may not do this: let it list the bucket, and read, write and delete its files".to_owned()
        }
        Some("ExpiredToken" | "InvalidToken") => "the credentials have expired: renew them".to_owned(),
        Some("RequestTimeTooSkewed") => "the clock of this machine is wrong: correct it".to_owned(),
        Some("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException") => {
            match between(&text, "<Region>", "</Region>") {
                Some(region) => format!("the bucket is in the region {}: set media.region to that", repeat(region)),
                None => "the bucket is in another region: correct media.region".to_owned(),
            }
        }
        Some(code) => format!("it answers {}", repeat(code)),
        None if text.contains("incorrectly configured region") => {
            "the bucket is in another region: correct media.region".to_owned()
        }
        None if METADATA.iter().any(|address| text.contains(address)) => {
            "there are no credentials: set media.access_key_id and media.secret_access_key, or give the machine a role".to_owned()
        }
        None => match error {
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                "it refuses the access key: correct media.access_key_id and media.secret_access_key, and check its rights".to_owned()
            }
            object_store::Error::NotFound { .. } => "it is not found there: correct media.url and media.endpoint".to_owned(),
            _ => repeat(&innermost(error)),
        },
    };
    MediaError::Bucket(format!("{name}: {words}"))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(inside, _)| inside.trim())
}

/// The innermost cause; the outer ones repeat the address and the answer.
fn innermost(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(answer: &str) -> String {
        let source = format!("Server returned non-2xx status code: 403 Forbidden: {answer}").into();
        bucket_error(&object_store::Error::Generic { store: "S3", source }, "s3://clips").to_string()
    }

    #[test]
    fn answers_are_explained_and_not_repeated() {
        let secret = "<AWSAccessKeyId>AKIA-SECRET</AWSAccessKeyId>";
        for (answer, part) in [
            ("<Code>NoSuchBucket</Code>", "no such bucket"),
            ("<Code>InvalidAccessKeyId</Code>", "media.access_key_id"),
            ("<Code>SignatureDoesNotMatch</Code>", "media.secret_access_key"),
            ("<Code>AccessDenied</Code>", "may not do this"),
            ("<Code>PermanentRedirect</Code>", "another region"),
            ("<Code>AuthorizationHeaderMalformed</Code><Region>eu-north-1</Region>", "eu-north-1"),
            ("<Code>RequestTimeTooSkewed</Code>", "clock"),
            ("<Code>SlowDown</Code>", "it answers SlowDown"),
            ("http://169.254.169.254/latest", "no credentials"),
        ] {
            let words = words(&format!("{answer}{secret}"));
            assert!(words.contains(part) && words.contains("s3://clips"), "{words}");
            assert!(!words.contains("AKIA"), "{words}");
        }
    }
}
