//! Problems of channels.

use super::types::problem_types;

problem_types! {
    CHANNEL_TAKEN: "channel-taken", CONFLICT, "Another channel has the name",
        "No two channels have the same short name. Choose another name.";
    CHANNEL_NOT_RUNNING: "channel-not-running", CONFLICT, "The channel's programme does not run",
        "Only a running programme can be rehearsed. Enable the channel. If it is enabled, `GET /channels/{id}/status` and \
         `GET /tasks` show why it does not run.";
    REHEARSAL_OPEN: "rehearsal-open", CONFLICT, "Another rehearsal of the channel has not ended",
        "A channel has one rehearsal at a time. Wait for the report of the other one.";
    OF_CHANNEL: "of-channel", CONFLICT, "The resource belongs to a channel",
        "The broadcaster or the stream key was made for a channel, which needs it. Delete the channel instead. The live \
         key of a channel can be rotated.";
    NOT_SUPPORTED: "not-supported", NOT_IMPLEMENTED, "This setup does not support the request",
        "The instance runs without a part that the request needs. `detail` names it.";
}
