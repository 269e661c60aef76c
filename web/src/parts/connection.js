// @ts-check
/** Waits for the first connection with a key: green when it is live, or the refusal with its reason. */
import { api } from '../api.js';
import { resource, unknownSince } from '../link.js';
import { liveIds, liveStream, lostSince, useLive } from '../store.js';
import { linkButton } from './button.js';
import { badge } from './badge.js';
import { duration, plural } from './format.js';
import { ago } from './time.js';
import { to } from '../router.js';
import { html, now, part } from '../ui.js';

/** @typedef {{ id: string, path: string, created_at: string }} Awaited */

/** @param {{ key: Awaited }} options */
export const firstConnection = (options) => part(wait, options, options.key.id);

/** The live stream of a key. @param {string} keyId */
export function streamOf(keyId) {
    const id = liveIds.value?.find((one) => liveStream(one)?.stream_key_id === keyId);
    return id ? liveStream(id) : undefined;
}

/** @param {{ key: Awaited }} options @param {(what: () => void) => void} leaving */
function wait({ key }, leaving) {
    const begun = Date.now();
    const live = useLive();
    leaving(live.close);
    // Refusals are written within seconds and announce nothing, so the page asks while somebody waits.
    const refusals = resource((signal) => api.get('/auth-failures', { query: { limit: 20 }, signal }), { every: 2_000 });
    leaving(refusals.close);
    return (/** @type {{ key: Awaited }} */ { key: { id, path } }) => {
        const stream = streamOf(id);
        if (stream ? lostSince(stream) : unknownSince())
            return html`<div class="connection" role="status">${badge('unknown', 'Unknown')}<p>Nothing is heard of the media server. Whether something arrives is not known.</p></div>`;
        if (stream)
            return html`<div class="connection good" role="status">${badge('good', 'Live')}<p><strong>${path} is on the air</strong>, ${stream.source_type ? `by ${protocol(stream.source_type)}, ` : ''}${stream.tracks.join(' and ') || 'tracks not known yet'}.</p>${linkButton({ label: 'Open the stream', href: to('live', stream.id), icon: 'right' })}</div>`;
        const refused = refusals.value.value?.auth_failures.find((one) => Date.parse(one.last_at) >= begun - 2_000 && concerns(one, id, path));
        if (refused)
            return html`<div class="connection bad" role="status">${badge('bad', 'Refused')}<div class="prose">
                <p><strong>${sentence(refused)}</strong> ${refused.detail ?? ''}</p>
                <p>${refused.advice}</p>
                <p class="quiet">${plural(refused.count, 'attempt')}${refused.ip_address ? ` from ${refused.ip_address}` : ''}, the last ${ago(refused.last_at)}. Still waiting: start the encoder again.</p></div></div>`;
        return html`<div class="connection" role="status">${badge('wait', 'Waiting')}<p>Waiting for the first connection on <strong>${path}</strong>. Start the encoder now.${' '}<span class="quiet" aria-live="off">${duration(now.value - begun)}</span></p></div>`;
    };
}

/** An attempt with this key, for its path, or with a key that nobody knows. @param {import('../api/types').Schemas['AuthFailure']} failure @param {string} id @param {string} path */
const concerns = (failure, id, path) =>
    failure.stream_key_id === id || failure.path === path || failure.nearest_path === path || (!failure.stream_key_id && !failure.organization_id);

/** @type {Record<string, string>} */
const CAUSES = {
    wrong_path: 'The encoder asked for another path.',
    unknown_key: 'The encoder sent a key that nobody knows.',
    malformed_key: 'The encoder sent something that is no whole key.',
    no_key: 'The encoder sent no key.',
    key_revoked: 'The key is revoked.',
    key_expired: 'The key has expired.',
    key_in_use: 'Another encoder publishes with this key.',
    too_many_takeovers: 'Two encoders took the key from each other too often.',
    private_path: 'The path is private.',
};

/** @param {import('../api/types').Schemas['AuthFailure']} failure */
export const sentence = (failure) => {
    const cause = CAUSES[failure.cause] ?? `Refused: ${failure.cause.replaceAll('_', ' ')}.`;
    if (failure.path && failure.key_path && failure.path !== failure.key_path) return `The encoder asked for ${failure.path}; this key is for ${failure.key_path}.`;
    return cause;
};

/** `rtmpConn` @param {string} source */
export const protocol = (source) => {
    const name = source.replace(/(Session|Conn|Source)$/i, '');
    return { webRTC: 'WebRTC', webrtc: 'WebRTC' }[name] ?? name.toUpperCase();
};
