// @ts-check
import { api } from '../../api.js';
import { resource, unknownSince } from '../../link.js';
import { liveBadge, number } from '../../parts/badge.js';
import { plural } from '../../parts/format.js';
import { empty } from '../../parts/problem.js';
import { ago, since } from '../../parts/time.js';
import { html } from '../../ui.js';
import { answered } from './section.js';

export function servers() {
    const list = resource((stop) => api.get('/media-servers', { signal: stop }), { every: 3_000 });
    return {
        close: list.close,
        view: () => answered(list, ({ media_servers: all }) => (all.length ? all.map(one) : empty({ title: 'No media server is configured', text: 'Without one, nothing can be published. Run "streamward up", or configure media_servers.default.' })), 'The list of media servers'),
    };
}

/** @param {import('../../api/types').Schemas['MediaServer']} server */
const one = (server) => html`<article class=${`band ${unknownSince() ? '' : server.reachable ? 'good' : 'bad'}`} key=${server.name}><header><h2>${server.name}</h2><p class="state">${liveBadge(server.reachable ? 'good' : 'bad', server.reachable ? 'Answers' : 'Does not answer')}${server.since && html`<span>for ${since(server.since)}</span>`}</p></header>
    ${server.last_error && html`<p class="says">${server.last_error}</p>`}
    <dl class="facts">
        <div><dt>Version</dt><dd>${server.version ?? html`<span class="quiet">not known</span>`}</dd></div>
        <div><dt>On it now</dt><dd>${server.reachable ? number(plural(server.streams, 'stream')) : html`<span class="quiet">not known</span>`}</dd></div>
        <div><dt>Compared</dt><dd>${ago(server.last_reconcile)}</dd></div>
        <div><dt>Asked us last</dt><dd>${ago(server.last_auth)}</dd></div>
        <div><dt>Told us last</dt><dd>${ago(server.last_hook)}</dd></div>
        <div><dt>Differences repaired</dt><dd>${server.drift_repaired}</dd></div>
    </dl></article>`;
