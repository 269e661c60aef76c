//! Playback tokens, and the keys that verify them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::list::list;
use crate::app::playback::{NewPlaybackToken, NewSigningKey, PathLinks, TokenNow};
use crate::domain::media_server::TokenUrls;
use crate::domain::playback::{PublicKey, TokenStatus};

list! {
    /// Playback tokens.
    PlaybackTokenList { playback_tokens: PlaybackTokenView }
}

/// A playback token without the token itself, which is not kept.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = PlaybackToken)]
pub(crate) struct PlaybackTokenView {
    /// The claim `jti` has the same 16 bytes in base64url.
    id: Uuid,
    /// Whose streams it opens. Absent: everybody's.
    organization_id: Option<Uuid>,
    /// What it opens: paths, and `prefix/*` for all below one.
    #[schema(value_type = Vec<String>, example = json!(["live/alice", "events/*"]))]
    paths: Vec<String>,
    /// The address or network that its viewers must have.
    #[schema(example = "192.0.2.0/24")]
    address: Option<String>,
    /// How many sessions it allows at the same time.
    max_sessions: Option<u32>,
    status: TokenStatus,
    created_at: DateTime,
    expires_at: DateTime,
    revoked_at: Option<DateTime>,
}

impl From<TokenNow> for PlaybackTokenView {
    fn from(TokenNow { token, at }: TokenNow) -> Self {
        Self {
            id: token.id.0,
            organization_id: token.organization_id.map(|id| id.0),
            paths: token.paths.iter().map(ToString::to_string).collect(),
            address: token.address.map(|network| network.to_string()),
            max_sessions: token.max_sessions,
            status: token.status(at),
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
        }
    }
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = NewPlaybackToken)]
pub(crate) struct NewPlaybackTokenView {
    #[serde(flatten)]
    playback_token: PlaybackTokenView,
    /// The token itself, a JSON web token. It is shown only once.
    token: String,
    /// Ready links with the token, for each path that it names. `prefix/*` has none.
    links: Vec<LinksView>,
}

/// Links for one path, on the media server `default` or the first one by name.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = PlaybackLinks)]
struct LinksView {
    #[schema(example = "live/alice")]
    path: String,
    #[serde(flatten)]
    urls: Option<TokenUrlsView>,
    /// The same on each media server, by name, if there are several.
    by_media_server: Option<BTreeMap<String, TokenUrlsView>>,
}

/// URLs that contain the token. Those that the media server does not have are absent; so is SRT, if the token does not fit
/// into the 512 characters of a stream id.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = TokenUrls)]
struct TokenUrlsView {
    hls: String,
    /// HTTP-FLV (SRS).
    flv: Option<String>,
    /// MediaMTX: a page that plays it. The WHEP endpoint is at `/whep` below, with the same query. SRS: the WHEP endpoint.
    webrtc: String,
    rtmp: String,
    /// RTSP (MediaMTX).
    rtsp: Option<String>,
    srt: Option<String>,
}

impl From<TokenUrls> for TokenUrlsView {
    fn from(TokenUrls { hls, flv, webrtc, rtmp, rtsp, srt }: TokenUrls) -> Self {
        Self { hls, flv, webrtc, rtmp, rtsp, srt }
    }
}

impl From<PathLinks> for LinksView {
    fn from(PathLinks { path, urls, servers }: PathLinks) -> Self {
        let are_several = servers.len() > 1;
        let servers = servers.into_iter().map(|(name, urls)| (name.to_string(), urls.into()));
        let by_media_server = are_several.then(|| servers.collect());
        Self { path: path.into(), urls: urls.map(TokenUrlsView::from), by_media_server }
    }
}

impl From<NewPlaybackToken> for NewPlaybackTokenView {
    fn from(NewPlaybackToken { token, secret, links }: NewPlaybackToken) -> Self {
        Self {
            playback_token: token.into(),
            token: secret.expose().to_owned(),
            links: links.into_iter().map(LinksView::from).collect(),
        }
    }
}

/// How many tokens were revoked.
#[derive(Serialize, ToSchema)]
#[schema(as = RevokedPlaybackTokens)]
pub(crate) struct RevokedTokensView {
    revoked: u64,
}

impl From<u64> for RevokedTokensView {
    fn from(revoked: u64) -> Self {
        Self { revoked }
    }
}

/// A signing key that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = PlaybackSigningKey)]
pub(crate) struct NewSigningKeyView {
    /// The `kid` of its tokens.
    #[schema(example = "9f86d081")]
    kid: String,
    /// From when on tokens are signed by it.
    signs_from: DateTime,
}

impl From<NewSigningKey> for NewSigningKeyView {
    fn from(NewSigningKey { id, signs_from }: NewSigningKey) -> Self {
        Self { kid: id, signs_from }
    }
}

/// The public keys of playback tokens (RFC 7517, RFC 8037).
#[derive(Serialize, ToSchema)]
#[schema(as = JsonWebKeySet)]
pub(crate) struct JwksView {
    keys: Vec<JwkView>,
}

/// An Ed25519 key.
#[derive(Serialize, ToSchema)]
#[schema(as = JsonWebKey)]
struct JwkView {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    kid: String,
    x: String,
}

impl From<Vec<PublicKey>> for JwksView {
    fn from(keys: Vec<PublicKey>) -> Self {
        let key = |key: PublicKey| JwkView {
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            usage: "sig",
            x: key.encoded(),
            kid: key.id,
        };
        Self { keys: keys.into_iter().map(key).collect() }
    }
}
