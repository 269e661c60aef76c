//! What the engine `media_server` cannot do, refused in plain words. The media server itself carries such a channel.

use super::draft::DestinationDraft;
use crate::domain::channel::{ChannelPatch, Engine, Mismatch, Mode};
use crate::domain::invalid::{Checks, Invalid};
use crate::domain::media_server::Capabilities;

fn refuse(checks: &mut Checks, field: &str, is_refused: bool, rule: &str) {
    if is_refused {
        checks.take::<()>(Err(Invalid::one(field, format!("{rule} with the engine media_server"))));
    }
}

/// Refuses the engine `media_server` if the media server cannot carry channels.
pub(super) fn check_engine(engine: Engine, server: Option<Capabilities>) -> Result<(), Invalid> {
    match server {
        Some(server) if engine == Engine::MediaServer && !server.channel_engine => Err(Invalid::one(
            "engine",
            "must be mixer: the media server of channels cannot carry them itself",
        )),
        _ => Ok(()),
    }
}

/// Refuses settings of a channel that its engine cannot keep.
pub(super) fn check_settings(
    engine: Engine,
    patch: &ChannelPatch,
    backup_is_stream: bool,
) -> Result<(), Invalid> {
    if engine != Engine::MediaServer {
        return Ok(());
    }
    let mut checks = Checks::default();
    let of = &mut checks;
    refuse(of, "inputs.backup.kind", backup_is_stream, "must be playlist");
    let playlist = patch.playlist.clone().unwrap_or_default();
    refuse(of, "inputs.backup.playlist.clips", playlist.clips.len() > 1, "must be one clip at most");
    refuse(of, "inputs.backup.playlist.schedule", !playlist.schedule.is_empty(), "must be empty");
    let differs = patch.mismatch.is_some_and(|mismatch| mismatch != Mismatch::Refuse);
    refuse(of, "mismatch", differs, "must be refuse");
    let failover = patch.failover;
    for (field, value) in [
        ("failover.min_bitrate_kbps", failover.min_bitrate_kbps),
        ("failover.max_keyframe_gap_seconds", failover.max_keyframe_gap_seconds),
    ] {
        refuse(of, field, value.flatten().is_some(), "cannot be set");
    }
    checks.finish()
}

/// Refuses a mode: the media server always prefers the live input.
pub(super) fn check_mode(engine: Engine, mode: Mode) -> Result<(), Invalid> {
    let mut checks = Checks::default();
    refuse(&mut checks, "mode", engine == Engine::MediaServer && mode != Mode::Auto, "must be auto");
    checks.finish()
}

/// Refuses a rehearsal: the live input cannot be held back.
pub(super) fn check_rehearsal(engine: Engine) -> Result<(), Invalid> {
    let mut checks = Checks::default();
    let is_refused = engine == Engine::MediaServer;
    refuse(&mut checks, "cut_live_for_seconds", is_refused, "cannot be used: there are no rehearsals");
    checks.finish()
}

/// Refuses settings of a destination that the engine cannot keep. What the platform would fill in is left out instead.
pub(super) fn check_destination(engine: Engine, draft: &mut DestinationDraft) -> Result<(), Invalid> {
    if engine != Engine::MediaServer {
        return Ok(());
    }
    let mut checks = Checks::default();
    let of = &mut checks;
    refuse(of, "backup_url", matches!(draft.backup_url, Some(Some(_))), "cannot be set");
    let rotates = matches!(draft.rotate_session_every_seconds, Some(Some(_)));
    refuse(of, "rotate_session_every_seconds", rotates, "cannot be set");
    let is_srt = draft.url.as_ref().is_some_and(|url| url.starts_with("srt:"));
    refuse(of, "url", is_srt, "must begin with rtmp:// or rtmps://");
    (draft.backup_url, draft.rotate_session_every_seconds) = (Some(None), Some(None));
    checks.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::channel::{ClipId, FailoverPatch, Playlist};

    #[test]
    fn media_server_that_cannot_carry_channels_is_no_engine() {
        let check = |engine, server| check_engine(engine, server).is_ok();
        assert!(!check(Engine::MediaServer, Some(Capabilities::SRS)));
        assert!(check(Engine::Mixer, Some(Capabilities::SRS)));
        assert!(check(Engine::MediaServer, Some(Capabilities::MEDIAMTX)));
        assert!(check(Engine::MediaServer, None));
    }

    fn refused(patch: &ChannelPatch, stream: bool) -> Vec<String> {
        let checked = check_settings(Engine::MediaServer, patch, stream);
        assert_eq!(check_settings(Engine::Mixer, patch, stream), Ok(()));
        checked
            .err()
            .map(|Invalid(fields)| fields.into_iter().map(|one| one.field).collect())
            .unwrap_or_default()
    }

    #[test]
    fn every_setting_that_the_media_server_cannot_keep_is_refused() {
        let clips =
            |count| Some(Playlist { clips: vec![ClipId(uuid::Uuid::nil()); count], ..Playlist::default() });
        let plain =
            ChannelPatch { playlist: clips(1), mismatch: Some(Mismatch::Refuse), ..ChannelPatch::default() };
        assert_eq!(refused(&plain, false), Vec::<String>::new());
        let failover = FailoverPatch {
            min_bitrate_kbps: Some(Some(1)),
            max_keyframe_gap_seconds: Some(Some(1)),
            ..FailoverPatch::default()
        };
        let all = ChannelPatch {
            playlist: clips(2),
            mismatch: Some(Mismatch::Transcode),
            failover,
            ..ChannelPatch::default()
        };
        assert_eq!(
            refused(&all, true),
            [
                "inputs.backup.kind",
                "inputs.backup.playlist.clips",
                "mismatch",
                "failover.min_bitrate_kbps",
                "failover.max_keyframe_gap_seconds"
            ]
        );
    }

    #[test]
    fn modes_rehearsals_and_second_addresses_are_refused() {
        for mode in [Mode::HoldLive, Mode::HoldBackup, Mode::Slate] {
            assert!(
                check_mode(Engine::MediaServer, mode).is_err() && check_mode(Engine::Mixer, mode).is_ok()
            );
        }
        assert_eq!(check_mode(Engine::MediaServer, Mode::Auto), Ok(()));
        assert!(check_rehearsal(Engine::MediaServer).is_err() && check_rehearsal(Engine::Mixer).is_ok());
        let mut draft = DestinationDraft {
            backup_url: Some(Some("rtmp://b/live".to_owned())),
            rotate_session_every_seconds: Some(Some(60)),
            ..DestinationDraft::default()
        };
        assert_eq!(check_destination(Engine::MediaServer, &mut draft.clone()).unwrap_err().0.len(), 2);
        assert_eq!(check_destination(Engine::Mixer, &mut draft), Ok(()));
        assert!(draft.backup_url.is_some_and(|url| url.is_some()), "the mixer keeps it");
    }
}
