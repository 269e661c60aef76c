//! Problems of media servers' clients.

use super::types::problem_types;

problem_types! {
    DENIED: "denied", UNAUTHORIZED, "The client of the media server is refused",
        "The client of a media server may not publish, read or use an API. `detail` explains \
         why, and what the person at the encoder can do.";
}
