// @ts-check
/** The playlist of a backup: in order, by dragging or by the keyboard, and slots by the clock. A draft until it is saved. */
import { api } from '../../api.js';
import { resource } from '../../link.js';
import { badge } from '../../parts/badge.js';
import { attempt, button, linkButton } from '../../parts/button.js';
import { openDialog } from '../../parts/dialog.js';
import { createForm, field, formView } from '../../parts/form.js';
import { duration } from '../../parts/format.js';
import { icon } from '../../parts/icon.js';
import { empty, problem, waiting } from '../../parts/problem.js';
import { to } from '../../router.js';
import { can } from '../../session.js';
import { computed, elementId, html, signal } from '../../ui.js';
import { CLIP_STATES } from './clips.js';

/**
 * @typedef {import('../../api/types').Schemas} Schemas
 * @typedef {{ key: string, clip: string }} Entry a clip can be in it twice
 */

const DAYS = /** @type {const} */ (['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']);

/** @param {{ channel: Schemas['Channel'], changed: () => unknown }} args @param {(what: () => void) => void} leaving */
export function playlist({ channel }, leaving) {
    const clips = resource((stop) => api.get('/clips', { signal: stop }), { every: 10_000 });
    leaving(clips.close);
    const known = computed(() => new Map((clips.value.value?.clips ?? []).map((clip) => [clip.id, clip])));
    /** @type {import('../../ui.js').Signal<{ entries: Entry[], slots: Schemas['PlaylistSlot'][] } | undefined>} what is not saved yet */
    const draft = signal(undefined);
    const change = signal(/** @type {Schemas['PlaylistChange']} */ (channel.inputs.backup.playlist?.change ?? 'end_of_clip'));
    const said = signal('');
    const busy = signal(false);
    const add = elementId('add');
    const when = elementId('when');
    const hint = elementId('hint');

    /** @param {Schemas['Channel']} from */
    const stored = (from) => ({
        entries: (from.inputs.backup.playlist?.clips ?? []).map((clip, index) => ({ key: `${clip}-${index}`, clip })),
        slots: from.inputs.backup.playlist?.schedule ?? [],
    });
    const nameOf = (/** @type {string} */ id) => known.value.get(id)?.name ?? id;

    return (/** @type {{ channel: Schemas['Channel'], changed: () => unknown }} */ { channel: now, changed }) => {
        const { entries, slots } = draft.value ?? stored(now);
        const may = can('admin', now.organization_id);
        const change_to = (/** @type {Entry[]} */ next) => (draft.value = { entries: next, slots });
        /** @param {number} from @param {number} place */
        const move = (from, place) => {
            if (place < 0 || place >= entries.length || place === from) return;
            const next = [...entries];
            const [one] = next.splice(from, 1);
            next.splice(place, 0, one);
            change_to(next);
            said.value = `${nameOf(one.clip)} is number ${place + 1} of ${entries.length}`;
        };
        /** @param {number} index */
        const remove = (index) => {
            change_to(entries.filter((_, at) => at !== index));
            said.value = `${nameOf(entries[index].clip)} is taken out`;
        };
        const save = async () => {
            busy.value = true;
            // Not its kind: that cannot be changed, and the service refuses it.
            const backup = /** @type {Schemas['BackupInputDraft']} */ ({ playlist: { clips: entries.map(({ clip }) => clip), schedule: slots, change: change.peek() } });
            const done = await attempt(
                () => api.patch('/channels/{id}', { path: { id: now.id }, body: { inputs: { backup } } }),
                change.peek() === 'at_once' ? 'The playlist is changed.' : 'The playlist is saved. It takes effect when the clip that plays has ended.',
            );
            if (done) {
                await changed();
                draft.value = undefined;
            }
            busy.value = false;
        };
        const free = [...known.value.values()].filter((clip) => clip.organization_id === now.organization_id);
        return html`<section class="panel playlist"><header><h2>Backup playlist</h2>${linkButton({ label: 'Clips', href: to('channels', 'clips'), kind: 'quiet' })}</header>
            ${!clips.value.value ? (clips.problem.value ? problem(clips.problem.value, clips.reload) : waiting()) : html`
            ${entries.length === 0 && empty({ title: 'Nothing to play', text: 'The backup is the built-in picture until a clip is in the playlist.' })}
            <p class="unseen" id=${hint}>Press the arrow keys up and down to move it.</p>
            <ol class="order">${entries.map((entry, index) => {
                const clip = known.value.get(entry.clip);
                return html`<li key=${entry.key} data-index=${index}>
                    ${may && html`<button type="button" class="button quiet only grip" aria-label=${`Move ${nameOf(entry.clip)}, number ${index + 1} of ${entries.length}`} aria-describedby=${hint}
                        onKeyDown=${(/** @type {KeyboardEvent} */ event) => byKey(event, index, entries.length, move, remove)}
                        onPointerDown=${(/** @type {PointerEvent} */ event) => byPointer(event, move)}>${icon('grip')}</button>`}
                    <span class="number quiet">${index + 1}</span>
                    <span class="name">${nameOf(entry.clip)}${clip && clip.state !== 'ready' && html` ${badge(CLIP_STATES[clip.state]?.tone ?? 'unknown', CLIP_STATES[clip.state]?.word ?? clip.state)}`}${!clip && html` ${badge('bad', 'Gone')}`}</span>
                    <span class="number quiet">${length(clip)}</span>
                    ${may && button({ label: `Take ${nameOf(entry.clip)} out`, icon: 'bad', only: true, kind: 'quiet', action: () => remove(index) })}
                </li>`;
            })}</ol>
            <p class="unseen" role="status">${said.value}</p>
            ${may && (free.length ? html`<div class="field"><label for=${add}>Add a clip</label><select id=${add} onChange=${(/** @type {any} */ event) => {
                const clip = event.target.value;
                event.target.value = '';
                if (!clip) return;
                change_to([...entries, { key: elementId('entry'), clip }]);
                said.value = `${nameOf(clip)} is added at the end`;
            }}><option value="">Choose…</option>${free.map((clip) => html`<option value=${clip.id}>${clip.name}${clip.state === 'ready' ? '' : ` (${CLIP_STATES[clip.state]?.word.toLowerCase() ?? clip.state})`}</option>`)}</select></div>` : html`<p class="quiet">No clip is uploaded yet.</p>`)}
            ${slotList()}
            ${draft.value && html`<footer class="unsaved"><p>Not saved yet.</p><div class="field"><label for=${when}>It takes effect</label><select id=${when} value=${change.value} onChange=${(/** @type {any} */ event) => (change.value = event.target.value)}><option value="end_of_clip">when the clip that plays has ended</option><option value="at_once">at once</option></select></div>
                <div class="actions">${button({ label: 'Discard', action: () => (draft.value = undefined) })}${button({ label: busy.value ? 'Working…' : 'Save the playlist', kind: 'main', disabled: busy.value, action: save })}</div></footer>`}`}
        </section>`;

        function slotList() {
            const put = (/** @type {Schemas['PlaylistSlot'][]} */ next) => (draft.value = { entries, slots: next });
            return html`<h3>By the clock</h3>${slots.length === 0 && html`<p class="quiet">No slot: the list above always plays.</p>`}
                <ul class="rows">${slots.map((slot, index) => html`<li><div><strong class="number">${slot.from}–${slot.to}</strong> ${slot.days.length ? slot.days.join(', ') : 'every day'} <small>${slot.time_zone}</small><br />${slot.clips.map(nameOf).join(', ')}</div>
                    ${may && button({ label: `Delete the slot at ${slot.from}`, icon: 'trash', only: true, kind: 'quiet', action: () => put(slots.filter((_, at) => at !== index)) })}</li>`)}</ul>
                ${may && free.length > 0 && html`<div class="actions">${button({ label: 'Add a slot', icon: 'plus', action: () => openSlot(free, (slot) => put([...slots, slot])) })}</div>`}`;
        }
    };
}

/** @param {Schemas['Clip'] | undefined} clip */
const length = (clip) => (clip?.probe?.duration_ms === undefined ? '' : duration(clip.probe.duration_ms));

/** @param {KeyboardEvent} event @param {number} index @param {number} count @param {(from: number, to: number) => void} move @param {(index: number) => void} remove */
function byKey(event, index, count, move, remove) {
    const target = { ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: count - 1 }[event.key];
    if (target === undefined && event.key !== 'Delete') return;
    event.preventDefault();
    const list = /** @type {HTMLElement} */ (event.currentTarget).closest('ol');
    if (event.key === 'Delete') remove(index);
    else move(index, /** @type {number} */ (target));
    // The row moves in the document, and the focus goes with the row.
    const place = event.key === 'Delete' ? Math.min(index, count - 2) : Math.max(0, Math.min(count - 1, /** @type {number} */ (target)));
    requestAnimationFrame(() => requestAnimationFrame(() => /** @type {HTMLElement | null | undefined} */ (list?.querySelectorAll('.grip')[place])?.focus()));
}

/** Dragging by the grip, with the mouse or a finger: the row goes where the pointer is. @param {PointerEvent} event @param {(from: number, to: number) => void} move */
function byPointer(event, move) {
    if (event.button) return;
    const grip = /** @type {HTMLElement} */ (event.currentTarget);
    const row = /** @type {HTMLElement} */ (grip.closest('li'));
    const list = /** @type {HTMLElement} */ (row.parentElement);
    const from = Number(row.dataset.index);
    const tops = [...list.children].map((child) => child.getBoundingClientRect()).map(({ top, height }) => top + height / 2);
    let place = from;
    grip.setPointerCapture(event.pointerId);
    row.classList.add('dragged');
    const drag = (/** @type {PointerEvent} */ at) => {
        row.style.transform = `translateY(${at.clientY - event.clientY}px)`;
        place = tops.filter((middle, index) => index !== from && middle < at.clientY).length;
    };
    const end = (/** @type {Event} */ done) => {
        grip.removeEventListener('pointermove', drag);
        grip.removeEventListener('pointerup', end);
        grip.removeEventListener('pointercancel', end);
        row.classList.remove('dragged');
        row.style.transform = '';
        if (done.type === 'pointerup') move(from, place);
    };
    grip.addEventListener('pointermove', drag);
    grip.addEventListener('pointerup', end);
    grip.addEventListener('pointercancel', end);
}

/** @param {Schemas['Clip'][]} clips @param {(slot: Schemas['PlaylistSlot']) => void} add */
function openSlot(clips, add) {
    const form = createForm({ from: '18:00', to: '20:00', days: /** @type {string[]} */ ([]), time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone, clips: /** @type {string[]} */ ([]) });
    const toggle = (/** @type {import('../../ui.js').Signal<string[]>} */ list, /** @type {string} */ value) => (list.value = list.value.includes(value) ? list.value.filter((one) => one !== value) : [...list.value, value]);
    const none = signal(false);
    openDialog({
        title: 'New slot',
        view: (close) => formView(form, {
            fields: html`<div class="pair">${field(form, 'from', { label: 'From', type: 'time' })}${field(form, 'to', { label: 'To', type: 'time', help: 'On the next day if it is not later.' })}</div>
                ${field(form, 'time_zone', { label: 'On the clock of', placeholder: 'Europe/Vienna' })}
                <fieldset class="choices"><legend>Days on which it begins; none means every day</legend>${DAYS.map((day) => html`<button type="button" class="button plain" aria-pressed=${form.values.days.value.includes(day)} onClick=${() => toggle(form.values.days, day)}>${day}</button>`)}</fieldset>
                <fieldset class="choices"><legend>Clips, in the order in which you press them</legend>${clips.map((clip) => html`<button type="button" class="button plain" aria-pressed=${form.values.clips.value.includes(clip.id)} onClick=${() => toggle(form.values.clips, clip.id)}>${form.values.clips.value.includes(clip.id) ? `${form.values.clips.value.indexOf(clip.id) + 1}. ` : ''}${clip.name}</button>`)}</fieldset>
                ${none.value && html`<p class="wrong" role="alert">Choose at least one clip.</p>`}`,
            action: 'Add the slot',
            cancel: close,
            run: async (values) => {
                none.value = values.clips.length === 0;
                if (none.value) return;
                add({ from: values.from, to: values.to, time_zone: values.time_zone, clips: values.clips, days: DAYS.filter((day) => values.days.includes(day)) });
                close();
            },
        }),
    });
}
