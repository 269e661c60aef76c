//! Problems of media servers' clients.

use super::types::problem_types;

problem_types! {
    DENIED: "denied", UNAUTHORIZED, "The client of the media server is refused",
        "A media server asked whether its client may publish, read or use an API, and the answer is no. `detail` says \
         why, and what the person at the encoder can do.";
}
