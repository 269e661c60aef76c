// @ts-check
/** The states of channels in words. */

/**
 * @typedef {import('../../api/types').Schemas} Schemas
 * @typedef {import('../../parts/badge.js').Tone} Tone
 */

/** @type {Record<Schemas['ChannelSource'], { word: string, tone: Tone }>} */
export const SOURCES = {
    live: { word: 'Live input', tone: 'good' },
    backup: { word: 'Backup', tone: 'warn' },
    slate: { word: 'Built-in picture', tone: 'warn' },
};

/** @type {Record<Schemas['DecisionReason'], string>} */
export const REASONS = {
    start: 'the programme began',
    live_ended: 'the live encoder disconnected',
    live_stalled: 'the live input sent no picture',
    live_bitrate_low: 'the bitrate of the live input was too low',
    live_without_keyframes: 'the live input sent no keyframe for too long',
    live_recovered: 'the live input is good again',
    live_mismatch: 'the live input does not match the profile',
    backup_unavailable: 'the backup has nothing ready to play',
    backup_available: 'the backup is ready, and the live input is not',
    operator: 'a person chose it',
    hold_expired: 'a hold ended',
    rehearsal: 'a rehearsal treats the live input as lost',
};

/** @type {Record<Schemas['InputState'], { word: string, tone: Tone }>} */
export const INPUTS = {
    absent: { word: 'Absent', tone: 'idle' },
    unstable: { word: 'Unstable', tone: 'warn' },
    ready: { word: 'Ready', tone: 'good' },
    on_air: { word: 'On air', tone: 'good' },
    mismatch: { word: 'Does not match', tone: 'bad' },
};

/** @type {Record<Schemas['OutputState'], { word: string, tone: Tone }>} */
export const OUTPUTS = {
    connecting: { word: 'Connecting', tone: 'wait' },
    live: { word: 'Live', tone: 'good' },
    stalled: { word: 'Stalled', tone: 'bad' },
    backing_off: { word: 'Waiting to try again', tone: 'bad' },
    disabled: { word: 'Turned off', tone: 'idle' },
    failed: { word: 'Failed', tone: 'bad' },
};

/** @type {Record<Schemas['ChannelMode'], string>} */
export const MODES = {
    auto: 'Automatic: live while it is good, otherwise the backup',
    hold_live: 'Hold the live input',
    hold_backup: 'Hold the backup',
    slate: 'Hold the built-in picture',
};

/** @type {Record<Schemas['Platform'], string>} */
export const PLATFORMS = { youtube: 'YouTube', facebook: 'Facebook', twitch: 'Twitch', kick: 'Kick', custom: 'Other' };

/** @param {number | undefined} ms */
export const hole = (ms) => (ms === undefined ? 'not measured' : `${ms.toLocaleString()} ms`);
