// @ts-check
/** One channel: its band, its playlist, its destinations, and what was decided about it. */
import { api } from '../../api.js';
import { resource } from '../../link.js';
import { button, linkButton } from '../../parts/button.js';
import { confirm } from '../../parts/dialog.js';
import { icon } from '../../parts/icon.js';
import { problem, shown, waiting } from '../../parts/problem.js';
import { time } from '../../parts/time.js';
import { say } from '../../parts/toast.js';
import { go, to } from '../../router.js';
import { can } from '../../session.js';
import { html, part, region, signal } from '../../ui.js';
import { band, followStatus } from './band.js';
import { destinations } from './destinations.js';
import { openCut, openRehearsal } from './orders.js';
import { playlist } from './playlist.js';
import { openSettings } from './settings.js';
import { REASONS, SOURCES } from './words.js';

/** @typedef {import('../../api/types').Schemas} Schemas */

/** @param {string} id */
export function channelScreen(id) {
    const channel = resource((stop) => api.get('/channels/{id}', { path: { id }, signal: stop }), { topics: ['channel.'], on: concerns(id), every: 30_000 });
    const status = followStatus(id, 2_000);
    return {
        title: () => channel.value.value?.display_name ?? 'Channel',
        close() {
            channel.close();
            status.close();
        },
        view() {
            const one = channel.value.value;
            if (!one) return channel.problem.value ? problem(channel.problem.value, channel.reload) : waiting();
            return html`<header class="head"><a class="button quiet only" href=${to('channels')} aria-label="All channels">${icon('back')}</a><h1>${one.display_name}</h1>${actions(one, channel.reload)}</header>
                ${band(one, status, {})}
                <div class="halves">
                    <div>${one.inputs.backup.kind === 'playlist' ? part(playlist, { channel: one, changed: channel.reload }, 'playlist') : encoderBackup()}
                        ${facts(one)}</div>
                    <div>${part(destinations, { channel: one }, 'destinations')}${part(decisions, { id }, 'decisions')}</div>
                </div>`;
        },
    };
}

/** Leaves out the events of other channels. @param {string} id @returns {(event: import('../../link.js').ServiceEvent, value: any) => any} */
export const concerns = (id) => ({ data }, value) => (data.channel_id && data.channel_id !== id ? value : undefined);

/** @param {Schemas['Channel']} one @param {() => unknown} changed */
const actions = (one, changed) => html`${can('operator', one.organization_id) && one.enabled && html`
        ${button({ label: 'Rehearse', action: () => openRehearsal(one) })}
        ${button({ label: one.mode === 'auto' ? 'Cut' : 'Cut or end the hold', kind: 'main', action: () => openCut(one, changed) })}`}
    ${can('admin', one.organization_id) && html`${button({ label: 'Settings', action: () => openSettings(one, changed) })}
        ${button({ label: one.enabled ? 'Turn off' : 'Turn on', action: () => (one.enabled ? turnOff(one, changed) : turn(one, true).then(changed, (error) => say(error.message))) })}
        ${button({ label: `Delete ${one.display_name}`, icon: 'trash', only: true, kind: 'quiet', action: () => remove(one) })}`}`;

/** @param {Schemas['Channel']} one @param {boolean} enabled */
const turn = (one, enabled) => api.patch('/channels/{id}', { path: { id: one.id }, body: { enabled } });

/** @param {Schemas['Channel']} one @param {() => unknown} changed */
const turnOff = (one, changed) => confirm({
    title: `Turn ${one.display_name} off?`,
    text: html`<p>Its programme ends, and so do its connections to all destinations. Platforms may end the broadcast. Its settings stay.</p>`,
    action: 'Turn off',
    run: async () => {
        await turn(one, false);
        changed();
    },
});

/** @param {Schemas['Channel']} one */
const remove = (one) => confirm({
    title: `Delete the channel ${one.display_name}?`,
    text: html`<p>Its programme ends, then its destinations. Its keys stop working. Its clips stay. This cannot be undone.</p>`,
    action: 'Delete the channel',
    name: one.name,
    run: async () => {
        await api.delete('/channels/{id}', { path: { id: one.id } });
        say(`The channel ${one.display_name} is deleted.`);
        go('channels');
    },
});

const encoderBackup = () => html`<section class="panel"><header><h2>Backup</h2></header><p class="quiet">The backup is a second encoder with a key of its own. It goes on air when the live input is lost.</p></section>`;

/** @param {Schemas['Channel']} one */
const facts = (one) => html`<section class="panel"><header><h2>Settings</h2>${linkButton({ label: 'Keys', href: to('access', 'keys'), kind: 'quiet' })}</header><dl class="facts">
    <div><dt>Watched at</dt><dd><code>${one.path}</code></dd></div>
    <div><dt>Live encoder sends to</dt><dd><code>${one.path}/live</code></dd></div>
    <div><dt>Picture</dt><dd>${one.profile.video.width}×${one.profile.video.height}, ${one.profile.video.fps} fps</dd></div>
    <div><dt>Sound</dt><dd>${one.profile.audio.rate} Hz, ${one.profile.audio.channels === 2 ? 'stereo' : 'mono'}</dd></div>
    <div><dt>Lost after</dt><dd>${one.failover.stall_ms} ms without a picture${one.failover.min_bitrate_kbps ? `, or below ${one.failover.min_bitrate_kbps} kbit/s` : ''}${one.failover.max_keyframe_gap_seconds ? `, or ${one.failover.max_keyframe_gap_seconds} s without a keyframe` : ''}</dd></div>
    <div><dt>Back after</dt><dd>${one.failover.recovery_grace_seconds} s of a good picture</dd></div>
    <div><dt>A live input that differs is</dt><dd>${{ refuse: 'refused', switch: 'taken, and destinations are told', transcode: 'transcoded' }[one.mismatch]}</dd></div>
</dl></section>`;

const PAGE = 20;

/** @param {{ id: string }} args @param {(what: () => void) => void} leaving */
function decisions({ id }, leaving) {
    const limit = signal(PAGE);
    const log = resource((stop) => api.get('/channels/{id}/decisions', { path: { id }, query: { limit: limit.peek() }, signal: stop }), { topics: ['channel.'], on: concerns(id), every: 15_000 });
    leaving(log.close);
    return () => html`<section class="panel"><header><h2>Decisions</h2></header>
        ${region(() => shown(log, ({ decisions: rows, next_cursor: more }) => html`<ol class="log">${rows.map(decision)}</ol>
            ${more && limit.value < 1000 && button({ label: 'Show earlier ones', kind: 'quiet', action: () => {
                limit.value = Math.min(limit.value * 5, 1000);
                void log.reload();
            } })}`))}</section>`;
}

/** @param {Schemas['Decision']} one */
const decision = (one) => html`<li key=${one.id}>${time(one.at)}<p><strong>${one.kind === 'refused' ? `Stayed, no cut to ${SOURCES[one.to].word.toLowerCase()}` : one.from ? `${SOURCES[one.from].word} → ${SOURCES[one.to].word}` : SOURCES[one.to].word}</strong>: ${REASONS[one.reason]}${figures(one.numbers)}</p></li>`;

/** @param {Record<string, unknown>} numbers */
function figures(numbers) {
    const all = Object.entries(numbers).map(([name, value]) => `${name.replace(/_(ms|kbps|seconds)$/, '').replaceAll('_', ' ')} ${value}${/_ms$/.test(name) ? ' ms' : /_kbps$/.test(name) ? ' kbit/s' : /_seconds$/.test(name) ? ' s' : ''}`);
    return all.length ? html` <span class="quiet number">(${all.join(', ')})</span>` : '';
}
