// @ts-check
/** Channels: programmes that never go dark. */
import { api } from '../api.js';
import { resource } from '../link.js';
import { button, linkButton } from '../parts/button.js';
import { plural } from '../parts/format.js';
import { empty, shown } from '../parts/problem.js';
import { to } from '../router.js';
import { can } from '../session.js';
import { html, part } from '../ui.js';
import { band, followStatus } from './channel/band.js';
import { clipsScreen } from './channel/clips.js';
import { openCut } from './channel/orders.js';
import { channelScreen } from './channel/page.js';
import { openCreate } from './channel/settings.js';

/** @typedef {import('../api/types').Schemas['Channel']} Channel */

/** @param {string[]} rest */
export function open(rest) {
    if (rest[0] === 'clips') return clipsScreen();
    return rest[0] ? channelScreen(rest[0]) : list();
}

function list() {
    const channels = resource((signal) => api.get('/channels', { signal }), { topics: ['channel.created', 'channel.updated', 'channel.deleted'], every: 30_000 });
    return {
        title: () => 'Channels',
        close: channels.close,
        view: () => html`<header class="head"><h1>Channels</h1>
                ${linkButton({ label: 'Clips', href: to('channels', 'clips') })}
                ${can('admin') && button({ label: 'New channel', icon: 'plus', kind: 'main', action: () => openCreate(channels.reload) })}
            </header>
            ${shown(channels, ({ channels: all }) => (all.length ? html`<p class="unseen" role="status">${plural(all.length, 'channel')}</p>${all.map((one) => part(listed, { channel: one, changed: channels.reload }, one.id))}` : nothing()))}`,
    };
}

const nothing = () => empty({
    title: 'No channel yet',
    text: 'A channel sends your live encoder to any number of destinations. When the encoder is lost, a backup goes on air, and the destinations keep their connections.',
});

/** @param {{ channel: Channel }} args @param {(what: () => void) => void} leaving */
function listed({ channel }, leaving) {
    const status = followStatus(channel.id, 5_000);
    leaving(status.close);
    return (/** @type {{ channel: Channel, changed: () => unknown }} */ { channel: one, changed }) => band(one, status, {
        heading: html`<h2><a href=${to('channels', one.id)}>${one.display_name}</a></h2>`,
        actions: can('operator', one.organization_id) && one.enabled && button({ label: 'Cut', title: `Cut ${one.display_name}`, action: () => openCut(one, changed) }),
    });
}
