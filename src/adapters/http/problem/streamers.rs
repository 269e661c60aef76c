//! Problems of streamers.

use super::types::problem_types;

problem_types! {
    STREAMER_TAKEN: "streamer-taken", CONFLICT, "The streamer is on the list already",
        "Each streamer is watched once. Upper and lower case do not matter. Change the existing streamer instead.";
    WEBHOOK_KEY_UNAVAILABLE: "webhook-key-unavailable", SERVICE_UNAVAILABLE, "Kick's public key is not available",
        "Streamward checks webhooks with Kick's public key and could not fetch it from Kick's API. Nothing is wrong with \
         the webhook: send it again after `Retry-After` seconds. If this lasts, see `kick.api_url` and the log, or set \
         `kick.webhook_public_key`.";
}
