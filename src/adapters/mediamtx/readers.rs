//! The connections that read, from the lists of all protocols.

use std::collections::HashMap;

use super::api::Api;
use super::dto::{RtspConn, SessionItem};
use super::snapshot::list_if_any;
use crate::domain::media_server::{ObservedReader, ObservedSource, SourceId, SourceKind};
use crate::domain::path::IngestPath;
use crate::domain::secret::Secret;
use crate::ports::RemoteError;

/// The lists of connections, and of their RTSP connections.
const LISTS: [(SourceKind, &str, Option<&str>); 8] = [
    (SourceKind::Rtmp, "rtmpconns/list", None),
    (SourceKind::Rtmps, "rtmpsconns/list", None),
    (SourceKind::Rtsp, "rtspsessions/list", Some("rtspconns/list")),
    (SourceKind::Rtsps, "rtspssessions/list", Some("rtspsconns/list")),
    (SourceKind::Srt, "srtconns/list", None),
    (SourceKind::WebRtc, "webrtcsessions/list", None),
    (SourceKind::Moq, "moqsessions/list", None),
    (SourceKind::Hls, "hlssessions/list", None),
];

/// All connections that read. A protocol that is switched off, or that this version does not list, has none.
pub(super) async fn readers(api: &Api) -> Result<Vec<ObservedReader>, RemoteError> {
    let mut readers = Vec::new();
    for (kind, endpoint, connections) in LISTS {
        let items: Vec<SessionItem> = list_if_any(api, endpoint).await?;
        let before = readers.len();
        readers.extend(items.into_iter().filter_map(|item| reader(&kind, item)));
        let found = readers.get_mut(before..).unwrap_or_default();
        // The auth callback names the connection when RTSP asks what there is, and before 1.19.3 always.
        if let Some(connections) = connections.filter(|_| !found.is_empty()) {
            name_connections(api, connections, found).await?;
        }
    }
    Ok(readers)
}

fn reader(kind: &SourceKind, item: SessionItem) -> Option<ObservedReader> {
    if item.state.is_some_and(|state| state != "read") {
        return None;
    }
    let (publishes, aliases) = (false, Vec::new());
    Some(ObservedReader {
        source: ObservedSource { kind: kind.clone(), publishes, id: SourceId::parse(&item.id), aliases },
        path: IngestPath::from_media_server(&item.path),
        query: Secret::new(item.query),
    })
}

async fn name_connections(
    api: &Api,
    endpoint: &'static str,
    readers: &mut [ObservedReader],
) -> Result<(), RemoteError> {
    let mut connections: HashMap<SourceId, Vec<SourceId>> = HashMap::new();
    for connection in list_if_any::<RtspConn>(api, endpoint).await? {
        let session = connection.session.as_deref().and_then(SourceId::parse);
        if let Some((session, id)) = session.zip(SourceId::parse(&connection.id)) {
            connections.entry(session).or_default().push(id);
        }
    }
    for ObservedReader { source, .. } in readers {
        source.aliases = source.id.as_ref().and_then(|id| connections.remove(id)).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<ObservedReader> {
        reader(&SourceKind::Rtmp, serde_json::from_str(json).unwrap())
    }

    #[test]
    fn only_what_reads_is_a_reader() {
        let found =
            read(r#"{"id":"a1","created":"x","state":"read","path":"live/alice","query":"token=eyJ.a.b"}"#)
                .unwrap();
        assert_eq!(found.source.id, SourceId::parse("a1"));
        assert_eq!(found.path.public(), Some("live/alice"));
        assert_eq!(found.query.expose(), "token=eyJ.a.b");
        assert!(read(r#"{"id":"a1","path":"live/alice"}"#).is_some(), "HLS");
        for state in ["idle", "publish"] {
            assert!(read(&format!(r#"{{"id":"a1","state":"{state}","path":"live/alice"}}"#)).is_none());
        }
    }
}
