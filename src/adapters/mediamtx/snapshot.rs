//! A complete poll of all paths, for any version: every page is read, and no page contradicts another.

use std::collections::{HashMap, HashSet};

use reqwest::Method;
use serde::de::DeserializeOwned;

use super::api::Api;
use super::dto::{Identified, Identity, Info, Page, PathItem, RtspConn};
use super::version::Version;
use super::words::{publishes, source_kind};
use crate::domain::media_server::{
    ObservedPath, ObservedSource, Snapshot, SourceId, SourceKind, StreamStats,
};
use crate::domain::path::IngestPath;
use crate::ports::RemoteError;

/// Requests everything on one page: each page is a snapshot of its own, and two pages may contradict each other.
const ITEMS_PER_PAGE: usize = 100_000;
/// More pages than this cannot be read in time.
const MAX_PAGES: usize = 10_000;

/// Polls all paths.
pub(super) async fn snapshot(api: &Api) -> Result<Snapshot, RemoteError> {
    // The process first. Otherwise a restart in between would attribute the old paths to the new process.
    let info = info(api).await?;
    let (mut paths, mut unreadable) = (Vec::new(), Vec::new());
    for item in list::<PathItem>(api, "paths/list").await? {
        match item {
            Ok(item) => match observed(item) {
                Ok(path) => paths.push(path),
                Err(path) => unreadable.push(Some(path)),
            },
            Err(name) => unreadable.push(name.as_deref().map(IngestPath::from_media_server)),
        }
    }
    let version = info.version.as_deref().and_then(Version::parse);
    if version.is_none_or(|version| version < Version::AVAILABLE_HOOKS) {
        name_connections(api, &mut paths).await?;
    }
    Ok(Snapshot { run: info.started, version: info.version, paths, unreadable })
}

/// Identifies the process. Empty before 1.15.3.
pub(super) async fn info(api: &Api) -> Result<Info, RemoteError> {
    let answer = api.patient_get("info").await?.found()?;
    let mut info: Info = answer.map_or_else(|| Ok(Info::default()), |answer| answer.json())?;
    // A build of one's own may have a line feed in it.
    info.version = info.version.map(|version| version.trim().to_owned());
    Ok(info)
}

/// Before 1.19.3 the auth callback names the connection of an RTSP publisher, and the path list names its session. Adds
/// the connections to the sessions.
async fn name_connections(api: &Api, paths: &mut [ObservedPath]) -> Result<(), RemoteError> {
    for (kind, endpoint) in [(SourceKind::Rtsp, "rtspconns/list"), (SourceKind::Rtsps, "rtspsconns/list")] {
        let mut sources: Vec<&mut ObservedSource> =
            paths.iter_mut().filter_map(|path| path.source.as_mut()).filter(|s| s.kind == kind).collect();
        if sources.is_empty() {
            continue;
        }
        let mut connections: HashMap<SourceId, Vec<SourceId>> = HashMap::new();
        let listed = list::<RtspConn>(api, endpoint).await?;
        for conn in listed.into_iter().filter_map(Result::ok) {
            let session = conn.session.as_deref().and_then(SourceId::parse);
            if let Some((session, id)) = session.zip(SourceId::parse(&conn.id)) {
                connections.entry(session).or_default().push(id);
            }
        }
        for source in &mut sources {
            source.aliases = source.id.as_ref().and_then(|id| connections.remove(id)).unwrap_or_default();
        }
    }
    Ok(())
}

/// An item of a list, or the identity of one that cannot be read. It spoils no other.
type Item<T> = Result<T, Option<String>>;

/// All items of the list `/v3/{endpoint}`. If the list changed while it was read, it is read once more.
async fn list<T: DeserializeOwned + Identified>(
    api: &Api,
    endpoint: &'static str,
) -> Result<Vec<Item<T>>, RemoteError> {
    match list_once(api, endpoint).await? {
        Ok(items) => Ok(items),
        Err(_) => list_once(api, endpoint)
            .await?
            .map_err(|why| RemoteError::Malformed(format!("{endpoint}: {why}, twice"))),
    }
}

/// All items that can be read of a list; none if there is no such list.
pub(super) async fn list_if_any<T: DeserializeOwned + Identified>(
    api: &Api,
    endpoint: &'static str,
) -> Result<Vec<T>, RemoteError> {
    match list::<T>(api, endpoint).await {
        Ok(items) => Ok(items.into_iter().filter_map(Result::ok).collect()),
        Err(RemoteError::Status { status: 404, .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// All items of a list, or how its pages contradict each other.
async fn list_once<T: DeserializeOwned + Identified>(
    api: &Api,
    endpoint: &'static str,
) -> Result<Result<Vec<Item<T>>, &'static str>, RemoteError> {
    let mut items: Vec<Item<T>> = Vec::new();
    let mut counts = None;
    for page in 0.. {
        let address = format!("/v3/{endpoint}?itemsPerPage={ITEMS_PER_PAGE}&page={page}");
        let answer = api.send(endpoint, api.request(Method::GET, &address)).await?.ok()?;
        let got: Page<'_> = answer.json()?;
        if *counts.get_or_insert((got.item_count, got.page_count)) != (got.item_count, got.page_count) {
            return Ok(Err("its length changed between pages"));
        }
        if got.page_count > MAX_PAGES {
            return Err(RemoteError::Malformed(format!("{endpoint}: {} pages", got.page_count)));
        }
        items.extend(got.items.iter().map(|raw| {
            let identity = || serde_json::from_str(raw.get()).ok().map(|Identity { name }| name);
            serde_json::from_str(raw.get()).map_err(|_| identity())
        }));
        if page + 1 >= got.page_count {
            break;
        }
    }
    let mut distinct = HashSet::new();
    if !items.iter().filter_map(identity).all(|identity| distinct.insert(identity)) {
        return Ok(Err("an item is on two pages"));
    }
    if counts.is_some_and(|(count, _)| count != items.len()) {
        return Ok(Err("items are missing"));
    }
    Ok(Ok(items))
}

fn identity<T: Identified>(item: &Item<T>) -> Option<&str> {
    match item {
        Ok(item) => Some(item.identity()),
        Err(identity) => identity.as_deref(),
    }
}

/// The path with its state; its name alone if the item does not say whether it is live.
pub(super) fn observed(item: PathItem) -> Result<ObservedPath, IngestPath> {
    let path = IngestPath::from_media_server(&item.name);
    let source = item.source.map(|source| ObservedSource {
        kind: source_kind(&source.kind),
        publishes: publishes(&source.kind),
        id: SourceId::parse(&source.id),
        aliases: Vec::new(),
    });
    // A path that MediaMTX pulls is always "online", even while it waits for its first reader.
    let publisher = source.as_ref().is_none_or(|source| source.publishes);
    let live = if publisher { item.online } else { item.available }.or(item.ready);
    let Some(live) = live else { return Err(path) };
    let tracks = match item.tracks2 {
        Some(tracks) => tracks.into_iter().map(|track| track.codec).collect(),
        None => item.tracks.unwrap_or_default(),
    };
    let stats = StreamStats {
        readers: u32::try_from(item.readers.map_or(0, |readers| readers.len())).unwrap_or(u32::MAX),
        tracks,
        inbound_bytes: item.inbound_bytes.or(item.bytes_received).unwrap_or_default(),
    };
    let configured = item.conf_name.as_deref() == Some(item.name.as_str());
    Ok(ObservedPath { path, live, configured, source, stats })
}

#[cfg(test)]
mod tests {
    use streamward_test_support::fuzz::{KEY, fuzz, texts};

    use super::*;

    fn seen(json: &str) -> ObservedPath {
        observed(serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn publisher_of_1_20_and_of_1_15_are_read_alike() {
        let new = seen(
            r#"{"name":"live/x","confName":"all_others","ready":true,"available":true,"online":true,
            "source":{"type":"rtmpConn","id":"188d"},"tracks":["H264"],"tracks2":[{"codec":"H264","codecProps":{"width":320}}],
            "readers":[{"type":"hlsSession","id":"1"}],"inboundBytes":87271,"bytesReceived":1,"new_field":{}}"#,
        );
        let old = seen(
            r#"{"name":"live/x","confName":"all_others","source":{"type":"rtmpConn","id":"188d"},"ready":true,
            "tracks":["H264"],"bytesReceived":87271,"readers":[{"type":"hlsMuxer","id":""}]}"#,
        );
        assert_eq!(new, old);
        assert!(new.live && !new.configured);
        assert_eq!(new.stats, StreamStats { readers: 1, tracks: vec!["H264".into()], inbound_bytes: 87271 });
    }

    #[test]
    fn idle_relay_is_not_live() {
        for json in [
            r#"{"name":"a","confName":"a","ready":false,"available":false,"online":true,"source":{"type":"rtspSource","id":""},"readers":null,"tracks":null}"#,
            r#"{"name":"a","confName":"a","ready":false,"source":{"type":"rtspSource","id":""},"tracks":[],"readers":[]}"#,
        ] {
            let idle = seen(json);
            assert!(!idle.live && idle.configured);
            assert_eq!(idle.source.unwrap().id, None);
        }
    }

    #[test]
    fn channel_without_publisher_is_not_live() {
        // alwaysAvailable: readers see the standby clip although nobody publishes.
        let waiting =
            seen(r#"{"name":"a","confName":"a","ready":true,"available":true,"online":false,"source":null}"#);
        assert!(!waiting.live);
    }

    #[test]
    fn path_without_state_is_unreadable() {
        let item: PathItem = serde_json::from_str(r#"{"name":"a"}"#).unwrap();
        assert_eq!(observed(item), Err(IngestPath::from_media_server("a")));
    }

    const LISTED: [&str; 4] = [
        r#"{"name":"live/x","confName":"all_others","ready":true,"available":true,"online":true,"source":{"type":"rtmpConn","id":"188d"},"tracks":["H264"],"tracks2":[{"codec":"H264","codecProps":{"width":320}}],"readers":[{"type":"hlsSession","id":"1"}],"inboundBytes":87271,"bytesReceived":1}"#,
        r#"{"name":"sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI","source":{"type":"srtConn","id":"1"},"ready":true}"#,
        r#"{"itemCount":1,"pageCount":1,"items":[{"name":"a"},{"id":"b","session":"c"}]}"#,
        r#"{"version":"v1.20.1","started":"2026-01-01T00:00:00Z"}"#,
    ];

    #[test]
    fn any_item_is_read_or_left_as_it_is_and_prints_no_key() {
        fuzz(&texts(&LISTED), |text| {
            let _ = serde_json::from_str::<Page<'_>>(&text).is_ok();
            let _ = serde_json::from_str::<RtspConn>(&text).is_ok();
            let _ = serde_json::from_str::<Identity>(&text).is_ok();
            if let Ok(info) = serde_json::from_str::<Info>(&text) {
                let _ = info.version.as_deref().and_then(Version::parse);
            }
            let Ok(item) = serde_json::from_str::<PathItem>(&text) else { return };
            if let Ok(path) = observed(item) {
                assert!(!format!("{:?}", path.path).contains(KEY));
            }
        });
    }
}
