//! The JSON of the resources, for HTTP and for `--json` of the command line.
//!
//! Absent values are left out.

mod access;
mod audit;
mod auth_failure;
mod broadcaster;
mod channel;
mod channel_status;
mod clip;
mod list;
mod media_server;
mod notification;
mod organization;
mod stream;
mod stream_key;
mod streamer;
mod studio;
mod studio_health;
mod studio_schedule;
mod user;
mod words;

pub(crate) use access::{ApiTokenList, ApiTokenView, NewApiToken};
pub(crate) use audit::AuditEntryView;
pub(crate) use auth_failure::{AuthFailureList, AuthFailureView};
pub(crate) use broadcaster::{BroadcasterList, BroadcasterView};
pub(crate) use channel::{
    ChannelList, ChannelView, DecisionList, DecisionView, DestinationList, DestinationView, NewChannelView,
};
pub(crate) use channel_status::{ChannelStatusView, DestinationTestView, RehearsalView};
pub(crate) use clip::{ClipList, ClipView};
pub(crate) use list::{List, Listed};
pub(crate) use media_server::{MediaServerList, MediaServerView};
pub(crate) use notification::{
    DeliveryList, DeliveryView, NewNotification, NotificationList, NotificationTestView, NotificationView,
    ReplayView,
};
pub(crate) use organization::{OrganizationList, OrganizationView};
pub(crate) use stream::{StreamList, StreamView};
pub(crate) use stream_key::{NewStreamKey, StreamKeyList, StreamKeyView};
pub(crate) use streamer::{ChangeView, SessionView, StatusEventView, StreamerList, StreamerView};
pub(crate) use studio::{
    DrillList, DrillView, StudioDecisionList, StudioDecisionView, StudioList, StudioView,
};
pub(crate) use studio_health::{
    FailoversView, HealthMetricsView, HealthSnapshotView, StudioUptimeView, TransitionsView,
};
pub(crate) use studio_schedule::{
    ContentLibraryView, ScheduleBlockView, ScheduleContentView, SchedulePreviewView, ScheduleView,
};
pub(crate) use user::{
    CurrentSessionView, NewSecondFactor, NewUserLink, RecoveryCodes, UserList, UserSessionList, UserView,
};

/// A point in time. `utoipa` recognises this name and documents RFC 3339.
pub(crate) type DateTime = crate::domain::Timestamp;
