//! Problems of studios.

use super::types::problem_types;

problem_types! {
    STUDIO_OFFLINE: "studio-offline", SERVICE_UNAVAILABLE, "The studio is not on air",
        "The health of a studio is that of its stream. `detail` says why there is none. `GET /studios/{name}` tells more. \
         The answer also has the fields `error`, `details` and `timestamp` of the specification's `Error`.";
    STUDIO_WITHOUT_PLATFORM: "studio-without-platform", CONFLICT, "The studio has no platform",
        "A studio is started only if the configuration says where it streams to: `studios.<name>.platform.url` and \
         `studios.<name>.platform.key_file`. Without them it is only watched.";
    STUDIO_NOT_SUPERVISED: "studio-not-supervised", CONFLICT, "No instance supervises the studio",
        "A drill needs the instance that supervises the studio. Start `streamward serve`. If it runs, `GET /tasks` shows why \
         it does not supervise the studio.";
    DRILL_OPEN: "drill-open", CONFLICT, "Another drill of the studio has not ended",
        "A studio has one drill at a time. Wait for the report of the other one.";
    DRILL_NOT_POSSIBLE: "drill-not-possible", CONFLICT, "The failure cannot be tried out here",
        "`obs_hang` needs `studios.<name>.launch`, because OBS must be restarted afterwards. `rtmp_drop` needs \
         `studios.<name>.probe`, because the far end ends the connection.";
}
