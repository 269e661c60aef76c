//! Channels to test with, and what belongs to them.

use streamward::adapters::system::SystemIds;
use streamward::domain::broadcaster::DisplayName;
use streamward::domain::channel::{
    Backup, Channel, ChannelId, ChannelName, ChannelPatch, ClipId, Decision, DecisionId, DecisionKind,
    Destination, DestinationId, Engine as ChannelEngine, Failover, Hold, InputState, InputStatus, Inputs,
    Mismatch, OutputId, OutputState, OutputStatus, Platform, Playlist, Profile, ProgrammeStatus, PushUrl,
    Reason, Rehearsal, RehearsalId, RehearsalState, Source,
};
use streamward::domain::{BroadcasterId, OrganizationId, StreamKeyId, Timestamp};
use streamward::ports::{ChannelCreation, ChannelWrite, IdGen as _};

use crate::fixture::{World, at, audit, broadcaster, by, fresh_hash, key, path};

pub(crate) fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

/// A channel with its broadcaster and two keys, on a path of its own.
pub(crate) fn creation(called: &str, when: Timestamp) -> ChannelCreation {
    let owner = broadcaster(called, when);
    let on = format!("live/{called}");
    let (live, programme) = (key(owner.id, &format!("{on}/live"), when), key(owner.id, &on, when));
    let channel = Channel {
        id: ChannelId(SystemIds.uuid()),
        organization_id: OrganizationId::DEFAULT,
        name: name(called),
        display_name: DisplayName::parse("The \"class\" röom").unwrap(),
        path: path(&on),
        enabled: true,
        hold: Hold::default(),
        inputs: Inputs {
            broadcaster: owner.id,
            live_key: live.id,
            programme_key: programme.id,
            backup: Backup::Playlist(Playlist::default()),
        },
        failover: Failover { min_bitrate_kbps: Some(300), ..Failover::default() },
        profile: Profile::default(),
        mismatch: Mismatch::Switch,
        engine: ChannelEngine::Mixer,
        created_at: when,
        updated_at: when,
    };
    let keys = vec![(live, fresh_hash()), (programme, fresh_hash())];
    ChannelCreation { channel, broadcaster: owner, keys, sealed_programme_key: format!("sealed {called}") }
}

/// A channel that was never stored.
pub(crate) fn unknown() -> ChannelId {
    ChannelId(SystemIds.uuid())
}

pub(crate) fn owner(channel: &Channel) -> BroadcasterId {
    channel.inputs.broadcaster
}

pub(crate) fn live_key(channel: &Channel) -> StreamKeyId {
    channel.inputs.live_key
}

pub(crate) fn destination(channel: ChannelId, called: &str, when: Timestamp) -> Destination {
    Destination {
        id: DestinationId(SystemIds.uuid()),
        channel,
        name: called.to_owned(),
        platform: Platform::Youtube,
        url: PushUrl::parse("rtmps://a.example/live2").unwrap(),
        backup_url: PushUrl::parse("rtmps://b.example/live2?backup=1").ok(),
        enabled: true,
        rotate_session_every_seconds: Some(3_600),
        created_at: when,
        updated_at: when,
    }
}

pub(crate) fn decision(channel: ChannelId, kind: DecisionKind, when: Timestamp) -> Decision {
    Decision {
        id: DecisionId(SystemIds.uuid()),
        channel,
        at: when,
        from: Some(Source::Live),
        to: Source::Backup,
        kind,
        reason: Reason::LiveStalled,
        numbers: serde_json::json!({"last_frame_ms": 712, "stall_ms": 700}).as_object().unwrap().clone(),
    }
}

pub(crate) fn status(when: Timestamp) -> ProgrammeStatus {
    let input = InputStatus {
        state: InputState::OnAir,
        bitrate_kbps: Some(4_000),
        fps: Some(29.97),
        keyframe_interval_ms: Some(2_000),
        codecs: vec!["H.264 1280x720".into()],
        last_frame_ms: Some(30),
        problem: None,
    };
    let output = OutputStatus {
        state: OutputState::BackingOff,
        since: when,
        last_error: Some("refused: \"bad key\"".into()),
        next_attempt_at: Some(when),
        connects: 3,
        bytes: 1 << 40,
        dropped_frames: 7,
        queue_ms: 12,
        rtt_ms: Some(40),
    };
    ProgrammeStatus {
        at: when,
        started_at: at(0),
        on_air: Source::Live,
        since: when,
        reason: Reason::LiveRecovered,
        cuts: 2,
        longest_hole_ms: 40,
        live: input.clone(),
        backup: InputStatus { state: InputState::Ready, ..input },
        outputs: vec![
            (OutputId::MediaServer, output.clone()),
            (OutputId::Destination(DestinationId(SystemIds.uuid())), output),
        ],
    }
}

pub(crate) fn rehearsal(channel: ChannelId, when: Timestamp) -> Rehearsal {
    Rehearsal {
        id: RehearsalId(SystemIds.uuid()),
        channel,
        cut_live_for_seconds: 10,
        state: RehearsalState::Requested,
        created_at: when,
        started_at: None,
        ended_at: None,
        report: None,
        error: None,
    }
}

impl World {
    /// A stored channel.
    pub(crate) async fn channel(&self, called: &str) -> Channel {
        self.channel_at(called, at(0)).await
    }

    pub(crate) async fn channel_at(&self, called: &str, when: Timestamp) -> Channel {
        let creation = creation(called, when);
        assert_eq!(self.create_channel(&creation).await, ChannelWrite::Done(()));
        creation.channel
    }

    pub(crate) async fn create_channel(&self, creation: &ChannelCreation) -> ChannelWrite<()> {
        let entry = audit("create", creation.channel.created_at);
        self.store.create_channel(creation, by(&entry)).await.unwrap()
    }

    /// A stored destination.
    pub(crate) async fn destination(&self, channel: ChannelId, called: &str, when: Timestamp) -> Destination {
        let one = destination(channel, called, when);
        let sealed = format!("sealed {called}");
        assert!(self.store.create_destination(&one, &sealed, by(&audit("create", when))).await.unwrap());
        one
    }

    /// Puts the clips into the channel's playlist.
    pub(crate) async fn play(&self, channel: &Channel, clips: &[ClipId]) -> ChannelWrite<Channel> {
        let playlist = Some(Playlist { clips: clips.to_vec(), ..Playlist::default() });
        let patch = ChannelPatch { playlist, ..ChannelPatch::default() };
        self.store.update_channel(channel.id, &patch, by(&audit("update", at(1)))).await.unwrap()
    }
}
