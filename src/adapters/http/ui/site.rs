//! The files of `web/`, within the program. `build.rs` makes cargo notice new ones.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::http::HeaderValue;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::Embed;

use super::policy::policy;
use super::trim::trimmed;
use crate::adapters::http::entity_tag::{EntityTag, short_hash};
use crate::adapters::http::page::HTML;

/// Smaller files are not compressed.
const MIN_COMPRESSED: usize = 512;

#[derive(Embed)]
#[folder = "web/"]
#[exclude = ".*"]
#[exclude = "node_modules/*"]
#[exclude = "tests/*"]
#[exclude = "package*.json"]
#[exclude = "tsconfig*.json"]
#[exclude = "*.config.*"]
#[exclude = "*.d.ts"]
#[exclude = "*.md"]
struct Folder;

/// The files with what is computed of them.
pub(super) struct Sites {
    /// Where media is played from.
    media_servers: BTreeSet<String>,
    site: OnceLock<Arc<Site>>,
}

impl Sites {
    pub(super) fn new(media_servers: BTreeSet<String>) -> Self {
        Self { media_servers, site: OnceLock::new() }
    }

    pub(super) fn current(&self) -> Arc<Site> {
        let site = || {
            let files = Folder::iter().filter_map(|name| {
                let data = Folder::get(&name)?.data;
                let data = trimmed(&name, &data).map_or(data, Cow::Owned);
                Some((name.to_string(), data))
            });
            Arc::new(Site::new(files, &self.media_servers))
        };
        Arc::clone(self.site.get_or_init(site))
    }
}

/// One version of the files.
pub(super) struct Site {
    /// A hash of all files. It is a part of their addresses.
    pub(super) version: String,
    /// `index.html` with those addresses.
    pub(super) index: Option<Asset>,
    /// The entity tag of `index.html`. It changes with the policy too, which a browser keeps with the page.
    pub(super) tag: EntityTag,
    pub(super) policy: HeaderValue,
    pub(super) assets: BTreeMap<String, Asset>,
}

impl Site {
    fn new(
        files: impl Iterator<Item = (String, Cow<'static, [u8]>)>,
        media_servers: &BTreeSet<String>,
    ) -> Self {
        let mut files: BTreeMap<String, Cow<'static, [u8]>> = files.collect();
        let heads: Vec<_> = files.iter().map(|(name, bytes)| format!("{name}\n{}\n", bytes.len())).collect();
        let heads_and_files = heads.iter().zip(files.values());
        let version = short_hash(heads_and_files.flat_map(|(head, file)| [head.as_bytes(), &**file]));
        let index = files.remove("index.html");
        let index =
            index.map(|page| String::from_utf8_lossy(&page).replace("\"./", &format!("\"./{version}/")));
        let page = index.as_deref().unwrap_or_default();
        let policy = policy(page, media_servers);
        let tag = EntityTag::weak([page.as_bytes(), policy.as_bytes()]);
        Self {
            index: index.map(|page| Asset::new("index.html", Cow::Owned(page.into_bytes()))),
            tag,
            policy,
            assets: files.into_iter().map(|(name, bytes)| (name.clone(), Asset::new(&name, bytes))).collect(),
            version,
        }
    }
}

/// A file.
pub(super) struct Asset {
    pub(super) kind: &'static str,
    pub(super) bytes: Bytes,
    compressed: OnceLock<Option<Bytes>>,
}

impl Asset {
    fn new(name: &str, bytes: Cow<'static, [u8]>) -> Self {
        let bytes = match bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        Self { kind: kind(name), bytes, compressed: OnceLock::new() }
    }

    /// The file in gzip, made at its first use. `None` if that is not smaller.
    pub(super) fn compressed(&self) -> Option<Bytes> {
        let compress = || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&self.bytes).ok()?;
            Some(Bytes::from(encoder.finish().ok()?)).filter(|small| small.len() < self.bytes.len())
        };
        let is_worth_it = self.bytes.len() >= MIN_COMPRESSED;
        self.compressed.get_or_init(|| if is_worth_it { compress() } else { None }).clone()
    }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => HTML,
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(files: &[(&str, &'static str)]) -> Site {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), Cow::Borrowed(text.as_bytes())));
        Site::new(files, &BTreeSet::new())
    }

    #[test]
    fn the_addresses_in_the_page_change_with_every_file() {
        let page = "<link href=\"./app.css\"><script type=\"importmap\">{\"a\":\"./a.js\"}</script><a href=\"#/live\">";
        let one = site(&[("index.html", page), ("app.css", "a{}")]);
        let two = site(&[("index.html", page), ("app.css", "b{}")]);
        assert_ne!(one.version, two.version);
        assert_ne!(one.tag, two.tag);
        assert_ne!(one.policy, two.policy, "the hash is of the map with its new addresses");
        let text = String::from_utf8(one.index.unwrap().bytes.to_vec()).unwrap();
        let version = &one.version;
        let expected = format!(
            "<link href=\"./{version}/app.css\"><script type=\"importmap\">{{\"a\":\"./{version}/a.js\"}}</script><a href=\"#/live\">"
        );
        assert_eq!(text, expected);
        assert_eq!(one.assets.keys().collect::<Vec<_>>(), ["app.css"]);
    }

    #[test]
    fn large_text_is_compressed_and_nothing_grows() {
        let text = "a { color: red }\n".repeat(100).leak();
        let site = site(&[("a.css", text), ("b.css", "a{}")]);
        assert!(site.assets["a.css"].compressed().is_some_and(|small| small.len() * 10 < text.len()));
        assert!(site.assets["b.css"].compressed().is_none());
    }

    #[test]
    fn tools_and_tests_are_not_a_part_of_the_page() {
        let names: Vec<_> = Folder::iter().collect();
        assert!(names.iter().any(|name| name == "index.html"), "{names:?}");
        for name in &names {
            let is_tool = ["package", "tsconfig", "node_modules", "tests/", "."];
            assert!(!is_tool.iter().any(|start| name.starts_with(start)), "{name}");
            assert!(!name.ends_with(".md") && !name.ends_with(".d.ts"), "{name}");
            assert_ne!(kind(name), "", "{name}");
        }
    }

    #[test]
    fn each_of_our_scripts_and_styles_is_understood() {
        let ours =
            |name: &str| !name.starts_with("vendor/") && (name.ends_with(".js") || name.ends_with(".css"));
        let mut count = 0;
        for name in Folder::iter().filter(|name| ours(name)) {
            let text = Folder::get(&name).unwrap().data;
            let served =
                trimmed(&name, &text).unwrap_or_else(|| panic!("{name} is served with its comments"));
            let lines = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(lines(&served), lines(&text), "{name}");
            assert!(served.len() < text.len(), "{name}");
            count += 1;
        }
        assert!(count > 50, "{count}");
    }
}
