//! Problems of stream keys.

use super::types::problem_types;

problem_types! {
    PATH_TAKEN: "path-taken", CONFLICT, "Another usable stream key has the path",
        "A path belongs to one usable stream key. Revoke the other key first, or choose another path.";
    KEY_NOT_USABLE: "key-not-usable", CONFLICT, "The stream key is revoked or expired",
        "A revoked or expired stream key cannot be changed or rotated. Create a new key.";
}
