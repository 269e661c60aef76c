//! Problems that any request can have.

use super::types::problem_types;

problem_types! {
    VALIDATION: "validation", BAD_REQUEST, "The input is not valid",
        "The body, the query or the path has a value that is not allowed, or a name that does not exist. `errors` lists \
         each refused field and what it must be. Correct these fields and send the request again.";
    MALFORMED_REQUEST: "malformed-request", BAD_REQUEST, "This is not an HTTP/1.1 request",
        "The first line or a header of the request is malformed, so the request was not read. Check the client, or the \
         proxy in between.";
    URI_TOO_LONG: "uri-too-long", URI_TOO_LONG, "The address is too long",
        "The address with its query may have at most 65534 bytes.";
    HEAD_TOO_LARGE: "head-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large",
        "The first line and the headers of a request may have at most 64 KiB, in at most 100 headers.";
    NOT_FOUND: "not-found", NOT_FOUND, "The resource does not exist",
        "The address is right, but the resource that it names does not exist or was deleted. Check the id.";
    UNKNOWN_ROUTE: "unknown-route", NOT_FOUND, "The address does not exist",
        "No route has this path. `/docs` lists all routes.";
    METHOD_NOT_ALLOWED: "method-not-allowed", METHOD_NOT_ALLOWED, "The address does not accept the method",
        "The address exists, but not with this method. The header `Allow` lists the methods it accepts.";
    REQUEST_TIMEOUT: "request-timeout", REQUEST_TIMEOUT, "The request did not arrive in time",
        "The body was not complete within 10 seconds. Send the request again.";
    TOO_LARGE: "too-large", PAYLOAD_TOO_LARGE, "The body is too large",
        "A body may have at most 1 MiB; a body for `/auth` or a hook at most 64 KiB; where no body is documented, 4 KiB.";
    UNSUPPORTED_MEDIA_TYPE: "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE,
        "The content type of the body is not supported", "Send JSON with `Content-Type: application/json`.";
    INTERNAL: "internal", INTERNAL_SERVER_ERROR, "Streamward failed to handle the request",
        "The fault is in Streamward or its database, not in the request. Streamward's log has the details: search it for \
         the `request_id`.";
    UNAVAILABLE: "unavailable", SERVICE_UNAVAILABLE, "The service is temporarily unavailable",
        "Something that the request needs, such as the database, does not answer. Try again after `Retry-After` \
         seconds. `streamward doctor` shows the cause.";
    TIMEOUT: "timeout", SERVICE_UNAVAILABLE, "The request took too long",
        "The request was cancelled after 10 seconds. It may or may not have been carried out: check before you try \
         again.";
}
