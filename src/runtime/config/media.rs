//! The section `[media]`: the files of clips.

use std::net::IpAddr;
use std::path::PathBuf;

use url::{Host, Url};

use super::error::ConfigError;
use super::section::section;
use super::values::{ConfigDuration, SecretValue, address, if_set, require, within};

const GIB: u64 = 1024 * 1024 * 1024;

section! {
    pub struct Media, check |media: &mut Media| check(media); {
        /// The folder for uploads and what is made of them. Several instances on one machine share it, unless there is a
        /// bucket.
        dir: Option<PathBuf>, check if_set(|dir: &mut PathBuf| require(!dir.as_os_str().is_empty(), || "must name a folder".to_owned())), unset "not set: a folder media beside the database";
        /// An S3 bucket for the files of clips, for several machines: `s3://bucket` or `s3://bucket/prefix`.
        url: Option<String>, check if_set(|url: &mut String| bucket(url).map(drop)), unset "not set: clips are in media.dir";
        /// The address of the S3 server.
        endpoint: Option<String>, check if_set(|endpoint: &mut String| server(endpoint)), unset "not set: Amazon's";
        /// The region of the bucket.
        region: Option<String>, unset "not set: AWS_REGION, or us-east-1";
        /// The id of the access key for the bucket.
        access_key_id: Option<String>, unset "not set: the environment (AWS_ACCESS_KEY_ID and others), or the role of the machine";
        /// The secret of the access key.
        secret_access_key: Option<SecretValue>;
        /// How many bytes of the bucket's files stay in media.dir; more only if more are in use at once.
        cache_bytes: u64 = 10 * GIB;
        /// The most bytes that all clips take together, with what is made of them.
        max_bytes: Option<u64>, unset "not set: as much as the disk has room for";
        /// How many clips this instance prepares at once; 0 leaves that to others.
        jobs: u32 = 1, check within(0, 64);
        /// How long an upload is kept that does not continue.
        upload_expiry: ConfigDuration = ConfigDuration::days(1),
            check within(ConfigDuration::MINUTE, ConfigDuration::days(365));
    }
}

/// The name of the bucket, and what the names in it begin with.
pub(super) fn bucket(url: &str) -> Result<(String, String), String> {
    let rule = || "must be an S3 bucket such as s3://clips or s3://clips/a-prefix".to_owned();
    let parsed = Url::parse(url).map_err(|_| rule())?;
    let has_more = parsed.port().is_some()
        || !parsed.username().is_empty()
        || parsed.password().is_some()
        || parsed.query().is_some()
        || parsed.fragment().is_some();
    match parsed.host_str() {
        Some(name) if parsed.scheme() == "s3" && !has_more && !name.is_empty() => {
            Ok((name.to_owned(), parsed.path().trim_matches('/').to_owned()))
        }
        _ => Err(rule()),
    }
}

/// The rule for the address of the server: without TLS only in a private network.
fn server(endpoint: &mut String) -> Result<(), String> {
    address(&["https", "http"])(endpoint)?;
    let is_private = Url::parse(endpoint).is_ok_and(|url| url.scheme() == "https" || is_private(&url));
    require(is_private, || {
        "must begin with https://: http:// is for this machine and private networks only".to_owned()
    })
}

fn is_private(url: &Url) -> bool {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        Some(Host::Domain(name)) => {
            let is_local =
                [".localhost", ".local", ".internal", ".lan"].iter().any(|end| name.ends_with(end));
            return is_local || !name.contains('.');
        }
        None => return false,
    };
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The rules about several keys.
fn check(media: &mut Media) -> Result<(), ConfigError> {
    let (id, secret) = (media.access_key_id.is_some(), media.secret_access_key.is_some());
    for (is_set, key) in [
        (media.endpoint.is_some(), "endpoint"),
        (media.region.is_some(), "region"),
        (id, "access_key_id"),
        (secret, "secret_access_key"),
    ] {
        if is_set && media.url.is_none() {
            return Err(ConfigError::new(key, "is about a bucket, and there is none: set media.url"));
        }
    }
    match (id, secret) {
        (true, false) => Err(ConfigError::new("secret_access_key", "must be set with media.access_key_id")),
        (false, true) => Err(ConfigError::new("access_key_id", "must be set with media.secret_access_key")),
        _ => Ok(()),
    }
}

impl Media {
    /// The bucket of `url`, if it is set: its name, and what the names in it begin with.
    pub fn bucket(&self) -> Option<(String, String)> {
        self.url.as_ref().and_then(|url| bucket(url).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_is_a_name_and_a_prefix() {
        let of = |name: &str, prefix: &str| Ok((name.to_owned(), prefix.to_owned()));
        assert_eq!(bucket("s3://clips"), of("clips", ""));
        assert_eq!(bucket("s3://my-clips/a/b/"), of("my-clips", "a/b"));
        for bad in [
            "clips",
            "https://clips",
            "s3://",
            "s3://key:secret@clips",
            "s3://clips?region=eu",
            "s3://clips:9000",
        ] {
            assert!(bucket(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn server_without_tls_is_in_a_private_network() {
        for good in [
            "https://s3.example.com",
            "http://127.0.0.1:9000",
            "http://[::1]:9000",
            "http://10.1.2.3",
            "http://minio:9000",
            "http://localhost:9000",
            "http://minio.storage.svc.cluster.local:9000",
        ] {
            assert_eq!(server(&mut good.to_owned()), Ok(()), "{good}");
        }
        for bad in ["http://s3.example.com", "http://8.8.8.8", "ftp://minio", "http://user:pass@minio"] {
            assert!(server(&mut bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn settings_of_a_bucket_belong_together() {
        let check_of = |mut media: Media| check(&mut media).err().map(|error| error.key);
        let (id, secret) = (Some("id".to_owned()), Some(SecretValue::default()));
        let url = Some("s3://clips".to_owned());
        let region = Some("eu-west-1".to_owned());
        assert_eq!(check_of(Media::default()), None);
        assert_eq!(check_of(Media { region, ..Media::default() }).as_deref(), Some("region"));
        let with = |access_key_id, secret_access_key| {
            check_of(Media { url: url.clone(), access_key_id, secret_access_key, ..Media::default() })
        };
        assert_eq!(with(None, None), None);
        assert_eq!(with(id.clone(), None).as_deref(), Some("secret_access_key"));
        assert_eq!(with(None, secret.clone()).as_deref(), Some("access_key_id"));
        assert_eq!(with(id, secret), None);
    }
}
