// @ts-check
/** A short permission to watch one path. It goes in a header, never in an address. */
import { ApiError, call } from '../api.js';
import { can } from '../session.js';

/**
 * @param {string} path
 * @returns {Promise<string | undefined>} nothing, where this person may not make one: open paths play without
 */
export async function playbackToken(path) {
    if (!can('operator')) return undefined;
    try {
        return (await call('post', 'playback-tokens', { body: { paths: [path], ttl_seconds: 60 } })).token;
    } catch (error) {
        if (error instanceof ApiError && (error.status === 404 || error.status === 403 || error.status === 405)) return undefined;
        throw error;
    }
}
