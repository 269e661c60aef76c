//! Problems of organizations.

use super::types::problem_types;

problem_types! {
    ORGANIZATION_TAKEN: "organization-taken", CONFLICT, "Another organization has the name",
        "No two organizations have the same name. Upper and lower case do not matter. Choose another name.";
    OWNER_GONE: "owner-gone", CONFLICT, "What it would belong to was deleted",
        "The organization was deleted while something was created in it. Nothing was created. Choose another organization.";
    ORGANIZATION_IN_USE: "organization-in-use", CONFLICT, "The organization cannot be deleted",
        "An organization that owns a channel, broadcaster, clip, streamer or studio is not deleted: delete these first. A \
         studio leaves it when `studios.<name>.organization` is changed. The first organization is never deleted.";
}
