// @ts-check
/** Words for what happens to a stream. */

/** @type {Record<string, string>} */
const REASONS = {
    publisher_left: 'the encoder left',
    key_revoked: 'its key was revoked',
    key_rotated: 'its key was rotated',
    key_expired: 'its key expired',
    broadcaster_deleted: 'its broadcaster was deleted',
    ended_by_operator: 'a person ended it',
    takeover: 'another encoder took over',
    media_server_restarted: 'the media server restarted',
    media_server_removed: 'the media server was removed',
};

/** @param {string | undefined} reason */
export const endReason = (reason) => (reason ? (REASONS[reason] ?? reason.replaceAll('_', ' ')) : 'not known');
