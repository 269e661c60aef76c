//! Problems of clips and their uploads.

use super::types::problem_types;

problem_types! {
    CLIP_IN_USE: "clip-in-use", CONFLICT, "A channel uses the clip",
        "A clip that a channel uses is not deleted. `detail` names the channels. Remove the clip from their playlists first.";
    UPLOAD_OFFSET: "upload-offset", CONFLICT, "The upload continues at another byte",
        "A part of an upload begins where the stored part ends. Read `Upload-Offset` with HEAD, and continue there.";
    UPLOAD_GONE: "upload-gone", GONE, "The upload cannot be continued",
        "The upload expired, or its first part was stored on another machine. Begin a new upload.";
    TUS_VERSION: "tus-version", PRECONDITION_FAILED, "The version of the upload protocol is not supported",
        "Uploads use version 1.0.0 of the tus protocol (<https://tus.io>). Send `Tus-Resumable: 1.0.0`.";
    MEDIA_FULL: "media-full", INSUFFICIENT_STORAGE, "There is no room for the file",
        "All clips together would take more than `media.max_bytes`, or the disk of `media.dir` is full. Delete clips that \
         are not needed, or make room, and send the request again.";
}
