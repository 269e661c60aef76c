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
    NO_PASSWORD: "no-password", CONFLICT, "The user has no password here",
        "The user signs in with a provider (OpenID Connect), where passwords and second factors are managed. Neither can be \
         set here.";
    SIGN_IN_EXPIRED: "sign-in-expired", UNAUTHORIZED, "The sign-in with a provider is not valid any more",
        "A sign-in is completed once, within ten minutes, in the browser that began it. Begin again with \
         `GET /session/oidc/{name}`.";
    SIGN_IN_REFUSED: "sign-in-refused", UNAUTHORIZED, "The provider did not sign the person in",
        "The provider answered with an error, with an ID token that is not valid, or without a verified e-mail address. \
         `detail` says which. Begin again with `GET /session/oidc/{name}`.";
    NO_ROLE: "no-role", FORBIDDEN, "The provider gives the person no role",
        "Roles follow a claim of the provider at every sign-in (`users.oidc.<name>.roles_claim` and `roles`). None of the \
         person's values gives a role. An administrator of the provider can add the person to a group that does.";
    PROVIDER_UNAVAILABLE: "provider-unavailable", SERVICE_UNAVAILABLE, "The provider cannot be used now",
        "The provider does not answer in time, or refuses the credentials of this installation. Try again in a moment; the \
         log and `streamward doctor` show the cause.";
    TOO_MANY_ATTEMPTS: "too-many-attempts", TOO_MANY_REQUESTS, "Too many attempts failed",
        "Failed attempts delay the next one, ever longer, up to 15 minutes. Wait for the seconds in `Retry-After`. Devices \
         and addresses where the person has signed in before are counted apart, so others cannot lock anybody out.";
}
