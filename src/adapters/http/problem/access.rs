//! Problems of authentication and authorization.

use super::types::problem_types;

problem_types! {
    UNAUTHENTICATED: "unauthenticated", UNAUTHORIZED, "The caller is not authenticated",
        "Send an API token (`Authorization: Bearer swt_…` or `X-API-Key: swt_…`) or sign the request; people \
         sign in for a cookie. Media servers send the hook secret instead. `detail` explains the problem with the \
         credentials.";
    FORBIDDEN: "forbidden", FORBIDDEN, "The caller's role is not sufficient",
        "The roles are viewer, operator and admin. Each includes the ones before it. `detail` names the role that is \
         needed. An admin can create a token with that role.";
    REPLAYED: "replayed", CONFLICT, "The signed request was received before",
        "A signed write is carried out once. Sign each write anew, with the current time.";
}
