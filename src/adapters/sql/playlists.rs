//! What channels and clips share: a clip that is in a playlist exists, and is not deleted.

use super::args::list;
use super::db::{Db, Tx};
use crate::domain::OrganizationId;
use crate::domain::access::Scope;
use crate::domain::channel::{ChannelId, ClipId, Playlist, uses};
use crate::ports::Result;

statements! {
    PLAYLISTS = [
        "SELECT id, playlist FROM channels WHERE playlist IS NOT NULL AND ", [in_scope "$1"], " ORDER BY id",
    ];
    KEEP = ["SELECT id FROM clips WHERE id IN ", [ids "$1"], " AND organization_id = $2 ORDER BY id", [share]];
}

/// All playlists in a scope.
pub(super) async fn all(db: &Db, scope: &Scope) -> Result<Vec<(ChannelId, Playlist)>> {
    db.rows(PLAYLISTS, args![scope]).await
}

/// Keeps the clips of a playlist of `owner` from being deleted until the transaction ends. Returns one that `owner` does not
/// have, if there is one.
pub(super) async fn keep_clips(
    tx: &mut Tx,
    playlist: &Playlist,
    owner: OrganizationId,
) -> Result<Option<ClipId>> {
    let wanted = playlist.all_clips();
    if wanted.is_empty() {
        return Ok(None);
    }
    let kept: Vec<ClipId> = tx.rows(KEEP, args![list(&wanted), owner]).await?;
    Ok(wanted.into_iter().find(|clip| !kept.contains(clip)))
}

/// The channels that have a clip in their playlists. Only if the clip's row is locked does none come to that until the
/// transaction ends.
pub(super) async fn channels_with(tx: &mut Tx, clip: ClipId) -> Result<Vec<ChannelId>> {
    let playlists: Vec<(ChannelId, Playlist)> = tx.rows(PLAYLISTS, args![Scope::system()]).await?;
    Ok(uses(&playlists, &[clip]).into_iter().map(|(_, channel)| channel).collect())
}
