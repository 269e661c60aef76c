//! Problems of users and of signing in.

use super::types::problem_types;

problem_types! {
    EMAIL_TAKEN: "email-taken", CONFLICT, "Another user has the e-mail address",
        "No two users have the same address. Upper and lower case do not matter. Change the existing user instead.";
    LAST_ADMINISTRATOR: "last-administrator", CONFLICT, "Nobody could manage users any more",
        "The last administrator is neither deleted nor made an ordinary user. Make another user administrator first.";
    SECOND_FACTOR_STATE: "second-factor-state", CONFLICT, "The second factor is not in the right state",
        "A second factor is made, then confirmed with its first code, then removed before another one is made. `detail` \
         says what is the case now.";
    SECOND_FACTOR_NEEDED: "second-factor-needed", UNAUTHORIZED, "A code of the second factor is needed",
        "The password is right. Send the same request again with `code`: six digits of the authenticator app, or a \
         recovery code.";
    TOO_MANY_ATTEMPTS: "too-many-attempts", TOO_MANY_REQUESTS, "Too many attempts failed",
        "Failed attempts delay the next one, ever longer, up to 15 minutes. Wait for the seconds in `Retry-After`. Devices \
         and addresses where the person has signed in before are counted apart, so others cannot lock anybody out.";
}
