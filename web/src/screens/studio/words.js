// @ts-check
/** The states of studios in words. */

/**
 * @typedef {import('../../api/types').Schemas} Schemas
 * @typedef {import('../../parts/badge.js').Tone} Tone
 */

/** @type {Record<Schemas['StudioStreamState'], { word: string, tone: Tone }>} */
export const STREAMS = {
    unknown: { word: 'Unknown', tone: 'unknown' },
    off: { word: 'Off air', tone: 'idle' },
    starting: { word: 'Starting', tone: 'wait' },
    live: { word: 'On air', tone: 'good' },
    reconnecting: { word: 'Connection to the platform lost', tone: 'bad' },
    stalled: { word: 'Nothing is sent', tone: 'bad' },
    stopping: { word: 'Stopping', tone: 'wait' },
};

/** @type {Record<Schemas['StudioReason'], string>} */
export const REASONS = {
    start: 'the studio began',
    schedule: 'the schedule says so',
    content_ended: 'what played has ended',
    content_failed: 'what played has failed',
    failover_failed: 'the failover content failed too',
    nothing_to_play: 'nothing can be played now',
    content_recovered: 'content can be played again',
    owner_active: 'the owner wants to be on air',
    owner_not_ready: 'the owner is dark or silent',
    owner_gave_up: 'the owner was not ready in time',
    owner_inactive: 'the owner has left',
    operator: 'a person ordered it',
    hold_ended: 'a hold ended',
    changed_in_obs: 'somebody changed it in OBS',
    preflight_passed: 'all checks have passed',
    stopped_in_obs: 'somebody stopped it in OBS',
    connection_lost: 'the connection to the platform was lost',
    obs_gone: 'OBS has gone',
    obs_unresponsive: 'OBS does not answer',
    not_confirmed: 'OBS did not confirm it',
};

/** @type {Record<Schemas['StudioCheckName'], string>} */
export const CHECKS = { obs: 'OBS answers', scenes: 'Scenes', failover_content: 'Failover content', platform: 'Platform', network: 'Network' };

/** @type {Record<Schemas['ScenePurpose'], string>} */
export const PURPOSES = {
    automated: 'Scheduled content',
    owner: 'The owner',
    failover: 'Failover content',
    technical_difficulties: 'Technical difficulties',
    going_live_soon: 'Going live soon',
};

/** @type {Record<Schemas['StudioOwner'], string>} */
export const OWNERS = { absent: 'absent', going_live_soon: 'about to go live', live: 'on air', not_ready: 'wants to be on air, but is dark or silent' };

/** @type {Record<Schemas['StudioAlert'], string>} */
export const ALERTS = {
    obs_unreachable: 'OBS cannot be reached.',
    restarts_failed: 'OBS was restarted three times and does not come back.',
    technical_difficulties: 'Content and failover content have failed. The log of decisions names the files.',
    held_scene_is_bad: 'The scene that a person holds is black or silent. Release the hold, or repair the scene.',
    stopped_in_obs: 'Somebody stopped the stream in OBS. Stop the studio here instead.',
};

/** @type {Record<Schemas['StudioArrival'], string>} */
export const ARRIVALS = { unknown: 'not measured', good: 'arrives', low: 'arrives with a low bitrate', absent: 'does not arrive' };

/** @type {Record<Schemas['DowntimeCause'], string>} */
export const CAUSES = { connection_lost: 'connection lost', obs_crash: 'OBS crashed', content_failure: 'content failed', network_degraded: 'network degraded', manual_stop: 'stopped by a person' };

/** @type {Record<Schemas['DrillKind'], { title: string, text: string }>} */
export const DRILLS = {
    content_failure: { title: 'Content fails', text: 'What plays is replaced by a file that does not exist.' },
    obs_hang: { title: 'OBS hangs', text: 'OBS is frozen. It needs a launch setting, so that OBS can be restarted.' },
    rtmp_drop: { title: 'The connection drops', text: 'The connection is ended at the far end. It needs a probe setting.' },
};

/**
 * Whether it is on air: never `good` while nobody looks at it, or while what is sent does not arrive.
 * @param {Schemas['Studio']} studio
 * @returns {{ word: string, tone: Tone, why: string }}
 */
export function onAir(studio) {
    const { stream, obs, preflight } = studio;
    if (!studio.supervised) return { word: 'Not supervised', tone: 'unknown', why: 'No instance of Streamward looks at it, so its state is not known. Its task says why.' };
    if (obs && obs.connection !== 'connected')
        return { word: studio.desired === 'on_air' ? 'Not on air, as far as is known' : 'Unknown', tone: studio.desired === 'on_air' ? 'bad' : 'unknown', why: `OBS is ${obs.connection === 'unresponsive' ? 'connected and does not answer' : 'not connected'}${obs.problem ? `: ${obs.problem}` : ''}.` };
    const state = stream?.state ?? 'unknown';
    if (state === 'live' && (stream?.far_end === 'absent' || stream?.far_end === 'low')) return { word: 'Sent, and not received well', tone: 'bad', why: `OBS sends. At the far end it ${ARRIVALS[stream.far_end]}. Check the uplink.` };
    const { word, tone } = STREAMS[state];
    if (state === 'off' && studio.desired === 'on_air') {
        const failed = preflight?.checks.find((one) => one.state === 'failed');
        return { word: 'Not on air', tone: 'bad', why: failed ? `It does not start: ${failed.detail}.` : studio.has_platform ? 'It starts as soon as all checks pass.' : 'No platform is configured, so it is only watched.' };
    }
    if (studio.desired === 'stopped') return { word, tone, why: `Stopped${studio.desired_by ? ` by ${studio.desired_by}` : ''} until somebody starts it.` };
    return { word, tone, why: '' };
}
