// @ts-check
/** Clips: files that channels play. */
import { api } from '../../api.js';
import { resource } from '../../link.js';
import { badge } from '../../parts/badge.js';
import { button } from '../../parts/button.js';
import { confirm } from '../../parts/dialog.js';
import { bytes, duration } from '../../parts/format.js';
import { icon } from '../../parts/icon.js';
import { empty, shown } from '../../parts/problem.js';
import { table } from '../../parts/table.js';
import { ago } from '../../parts/time.js';
import { to } from '../../router.js';
import { can, session } from '../../session.js';
import { elementId, html, region } from '../../ui.js';
import { forget, pauseUpload, upload, uploads } from './upload.js';

/** @typedef {import('../../api/types').Schemas['Clip']} Clip */

/** @type {Record<string, { word: string, tone: import('../../parts/badge.js').Tone }>} */
export const CLIP_STATES = {
    uploading: { word: 'Uploading', tone: 'wait' },
    queued: { word: 'Waiting', tone: 'wait' },
    probing: { word: 'Examined', tone: 'wait' },
    normalizing: { word: 'Prepared', tone: 'wait' },
    ready: { word: 'Ready', tone: 'good' },
    failed: { word: 'Failed', tone: 'bad' },
};

export function clipsScreen() {
    const clips = resource((stop) => api.get('/clips', { signal: stop }), { every: 3_000 });
    const channels = resource((stop) => api.get('/channels', { signal: stop }), { topics: ['channel.created', 'channel.updated', 'channel.deleted'] });
    const input = elementId('files');
    /** @type {string | undefined} a clip that the next file continues */
    let continued;
    const take = (/** @type {Iterable<File>} */ files) => {
        // A person of one organization uploads into it; the service knows which.
        const mine = session.peek();
        const organization = mine?.role ? undefined : mine?.roles.find(({ role }) => role !== 'viewer')?.organization_id;
        for (const file of files) void upload(file, { organization, clip: continued, changed: clips.reload });
        continued = undefined;
    };
    const choose = (/** @type {string | undefined} */ clip) => {
        continued = clip;
        document.getElementById(input)?.click();
    };
    return {
        title: () => 'Clips',
        close() {
            clips.close();
            channels.close();
        },
        view() {
            const names = new Map(channels.value.value?.channels.map(({ id, display_name }) => [id, display_name]));
            const may = can('operator');
            return html`<header class="head"><a class="button quiet only" href=${to('channels')} aria-label="All channels">${icon('back')}</a><h1>Clips</h1>${may && button({ label: 'Upload', icon: 'plus', kind: 'main', action: () => choose(undefined) })}</header>
                ${may && html`<div class="drop" onDragOver=${(/** @type {DragEvent} */ event) => event.preventDefault()} onDrop=${(/** @type {DragEvent} */ event) => {
                    event.preventDefault();
                    take(event.dataTransfer?.files ?? []);
                }}><input id=${input} hidden type="file" accept="video/*,.mkv,.ts,.flv" multiple aria-label="Files to upload" tabindex="-1" onChange=${(/** @type {any} */ event) => {
                    take([...event.target.files]);
                    event.target.value = '';
                }} /><p class="quiet">Drop files here, up to 10 GiB each. A broken upload continues when the same file is chosen again.</p>${region(going)}</div>`}
                ${shown(clips, ({ clips: all }) => (all.length ? table({
                    caption: 'Clips',
                    rows: all,
                    key: ({ id }) => id,
                    columns: [
                        { head: 'Name', main: true, cell: (clip) => html`${clip.name}${clip.error && html`<p class="says">${clip.error}</p>`}` },
                        { head: 'State', cell: (clip) => stateOf(clip) },
                        { head: 'Length', end: true, cell: (clip) => (clip.probe?.duration_ms === undefined ? html`<span class="quiet">–</span>` : duration(clip.probe.duration_ms)) },
                        { head: 'Picture', cell: (clip) => (clip.probe?.video ? html`<span class="nowrap">${clip.probe.video.width}×${clip.probe.video.height}</span> <small>${clip.probe.video.codec}</small>` : html`<span class="quiet">–</span>`) },
                        { head: 'Size', end: true, cell: (clip) => html`<span class="nowrap">${bytes(clip.size)}</span>` },
                        { head: 'Played by', cell: (clip) => (clip.in_use_by.length ? clip.in_use_by.map((id) => names.get(id) ?? 'a channel').join(', ') : html`<span class="quiet">nobody</span>`) },
                        { head: 'Uploaded', cell: (clip) => ago(clip.created_at) },
                        { head: '', end: true, cell: (clip) => can('operator', clip.organization_id) && html`<div class="actions">
                            ${clip.state === 'uploading' && !uploads.value.some(({ name, size }) => name === clip.name && size === clip.size) && button({ label: 'Continue', kind: 'quiet', title: `Choose ${clip.name} again`, action: () => choose(clip.id) })}
                            ${button({ label: `Delete ${clip.name}`, icon: 'trash', only: true, kind: 'quiet', action: () => remove(clip, names, clips.reload) })}</div>` },
                    ],
                }) : empty({ title: 'No clip yet', text: 'A clip is a file that the backup of a channel plays. It is checked and prepared once, then it is ready at once, always.' })))}`;
        },
    };
}

const going = () =>
    uploads.value.length ? html`<ul class="rows">${uploads.value.map((one) => html`<li key=${one.key}><div class="progress"><strong>${one.name}</strong>
        <progress max=${one.size} value=${one.sent} aria-label=${`Upload of ${one.name}`}></progress>
        <small class="number">${one.state === 'done' ? 'Uploaded' : one.state === 'failed' ? 'Stopped' : one.state === 'retrying' ? 'Trying again' : 'Uploading'}: ${bytes(one.sent)} of ${bytes(one.size)}${one.why ? `. ${one.why}` : ''}</small></div>
        ${one.state === 'failed' ? button({ label: 'Close', kind: 'quiet', action: () => forget(one.key) }) : one.state !== 'done' && button({ label: 'Pause', kind: 'quiet', title: `Pause ${one.name}`, action: () => pauseUpload(one.key) })}</li>`)}</ul>` : null;

/** @param {Clip} clip */
function stateOf(clip) {
    const { word, tone } = CLIP_STATES[clip.state] ?? { word: clip.state, tone: 'unknown' };
    const share = clip.state === 'uploading' && clip.size ? (clip.uploaded ?? 0) / clip.size : clip.progress;
    return html`${badge(tone, word)}${tone === 'wait' && clip.state !== 'queued' && html` <small class="number">${Math.floor(share * 100)} %</small>`}`;
}

/** @param {Clip} clip @param {Map<string, string>} names @param {() => unknown} changed */
const remove = (clip, names, changed) => confirm({
    title: `Delete the clip ${clip.name}?`,
    text: clip.in_use_by.length ? html`<p>It is in the playlist of ${clip.in_use_by.map((id) => names.get(id) ?? 'a channel').join(', ')}. Take it out there first.</p>` : html`<p>The file and what was prepared of it are deleted. This cannot be undone.</p>`,
    action: 'Delete the clip',
    run: async () => {
        await api.delete('/clips/{id}', { path: { id: clip.id } });
        changed();
    },
});
