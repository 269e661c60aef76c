// @ts-check
/** The schedule of a studio: its week as it will play, and its blocks and content to change. */
import { api } from '../../api.js';
import { resource } from '../../link.js';
import { badge } from '../../parts/badge.js';
import { attempt, button } from '../../parts/button.js';
import { openDialog } from '../../parts/dialog.js';
import { createForm, field, formView } from '../../parts/form.js';
import { shown } from '../../parts/problem.js';
import { can } from '../../session.js';
import { elementId, html, region, signal } from '../../ui.js';

/** @typedef {import('../../api/types').Schemas} Schemas */

const DAYS = /** @type {const} */ (['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']);
const DAY_MS = 86_400_000;
const AGES = ['kids', 'all_ages', 'teen', 'adult'];
const KINDS = /** @type {const} */ ({ video_file: 'Video file', scene_composition: 'Scene in OBS', live_input: 'Live source' });

/** @param {{ studio: Schemas['Studio'] }} args @param {(what: () => void) => void} leaving */
export function schedule({ studio }, leaving) {
    const path = { name: studio.name };
    const week = signal(0);
    const stored = resource((stop) => api.get('/studios/{name}/schedule', { path, signal: stop }), { topics: ['studio.ordered', 'studio.decided'] });
    const preview = resource((stop) => {
        const from = new Date(Date.now() + week.peek() * 7 * DAY_MS);
        from.setMinutes(0, 0, 0);
        return api.get('/studios/{name}/schedule/preview', { path, query: { from: from.toISOString(), to: new Date(from.getTime() + 7 * DAY_MS).toISOString() }, signal: stop });
    }, { every: 60_000 });
    const library = resource((stop) => api.get('/studios/{name}/content-library', { path, signal: stop }), { every: 30_000 });
    const draft = signal(/** @type {Schemas['StudioSchedule'] | undefined} */ (undefined));
    const reason = signal('');
    const why = elementId('why');
    for (const one of [stored, preview, library]) leaving(one.close);
    const turn = (/** @type {number} */ weeks) => {
        week.value += weeks;
        void preview.reload();
    };

    const save = async () => {
        const next = draft.peek();
        if (!next) return;
        if (await attempt(() => api.put('/studios/{name}/schedule', { path, body: { ...next, reason: reason.peek() || undefined } }), 'The schedule is changed.')) {
            await Promise.all([stored.reload(), preview.reload(), library.reload()]);
            draft.value = undefined;
            reason.value = '';
        }
    };

    return () => {
        const may = can('admin', studio.organization_id);
        return html`<section class="panel"><header><h2>Week</h2><small>on the clock of ${preview.value.value?.time_zone ?? studio.time_zone}</small>
                <div class="actions">${button({ label: 'Earlier', icon: 'back', only: true, kind: 'quiet', action: () => turn(-1) })}<span>${week.value === 0 ? 'From now' : week.value > 0 ? `In ${week.value} w` : `${-week.value} w ago`}</span>${button({ label: 'Later', icon: 'right', only: true, kind: 'quiet', action: () => turn(1) })}</div></header>
            ${region(() => shown(preview, weekView))}</section>
        <section class="panel"><header><h2>Blocks and content</h2></header>${region(() => shown(stored, (from) => editor(draft.value ?? from)))}
            ${draft.value && html`<footer class="unsaved"><p>Not saved yet. The week above shows the stored schedule.</p><div class="field"><label for=${why}>Reason</label><input id=${why} value=${reason.value} onInput=${(/** @type {any} */ event) => (reason.value = event.target.value)} /></div>
                <div class="actions">${button({ label: 'Discard', action: () => (draft.value = undefined) })}${button({ label: 'Save the schedule', kind: 'main', action: save })}</div></footer>`}</section>`;

        /** @param {Schemas['StudioSchedule']} now */
        function editor(now) {
            const put = (/** @type {Partial<Schemas['StudioSchedule']>} */ what) => (draft.value = { ...now, ...what });
            const checked = new Map(library.value.value?.content.map((one) => [one.name, one]));
            return html`<h3>Blocks</h3>${now.blocks.length === 0 && html`<p class="quiet">No block: everything may play at any time.</p>`}
                <ul class="rows">${now.blocks.map((block, index) => html`<li><div><strong>${block.name}</strong> <span class="number">${block.from}–${block.to}</span> ${block.days?.length ? block.days.join(', ') : 'every day'}<br /><small>${[`for ${(block.age ?? 'all_ages').replace('_', ' ')}`, ...(block.kinds ?? []).map((kind) => KINDS[kind].toLowerCase())].join(' · ')}</small></div>
                    ${may && html`<div class="actions">${button({ label: 'Change', title: `Change ${block.name}`, kind: 'quiet', action: () => openBlock(block, (next) => put({ blocks: now.blocks.map((one, at) => (at === index ? next : one)), content: now.content.map((one) => ({ ...one, blocks: one.blocks?.map((name) => (name === block.name ? next.name : name)) })) })) })}${button({ label: `Delete ${block.name}`, icon: 'trash', only: true, kind: 'quiet', action: () => put({ blocks: now.blocks.filter((_, at) => at !== index), content: now.content.map((one) => ({ ...one, blocks: one.blocks?.filter((name) => name !== block.name) })) }) })}</div>`}</li>`)}</ul>
                ${may && html`<div class="actions">${button({ label: 'Add a block', icon: 'plus', action: () => openBlock(undefined, (next) => put({ blocks: [...now.blocks, next] })) })}</div>`}
                <h3>Content</h3>${now.content.length === 0 && html`<p class="quiet">No content: failover content plays.</p>`}
                <ul class="rows">${now.content.map((one, index) => {
                    const state = checked.get(one.name);
                    return html`<li><div><strong>${one.name}</strong> ${state && badge(state.playable ? 'good' : state.last_verified_at ? 'bad' : 'unknown', state.playable ? 'Playable' : state.last_verified_at ? 'Not playable' : 'Not verified yet')}<br /><code>${'path' in one.media ? one.media.path : 'scene' in one.media ? one.media.scene : one.media.url}</code> <small>${[KINDS[one.media.kind].toLowerCase(), one.tier === 'premium' && 'premium', one.blocks?.length ? `in ${one.blocks.join(', ')}` : 'at any time', `priority ${one.priority ?? 50}`].filter(Boolean).join(' · ')}</small>${state?.problem && html`<p class="says">${state.problem}</p>`}</div>
                    ${may && html`<div class="actions">${button({ label: 'Change', title: `Change ${one.name}`, kind: 'quiet', action: () => openContent(one, now.blocks, (next) => put({ content: now.content.map((old, at) => (at === index ? next : old)) })) })}${button({ label: `Delete ${one.name}`, icon: 'trash', only: true, kind: 'quiet', action: () => put({ content: now.content.filter((_, at) => at !== index) }) })}</div>`}</li>`;
                })}</ul>
                ${may && html`<div class="actions">${button({ label: 'Add content', icon: 'plus', action: () => openContent(undefined, now.blocks, (next) => put({ content: [...now.content, next] })) })}</div>`}`;
        }
    };
}

/** Wall time of the place, as `2026-03-29T03:30:00+02:00` has it. @param {string} local */
const wall = (local) => ({ day: local.slice(0, 10), minute: Number(local.slice(11, 13)) * 60 + Number(local.slice(14, 16)) });

/** A week, a column for each day; the clock of the place, not of the browser. @param {Schemas['SchedulePreview']} preview */
function weekView({ times }) {
    /** @type {Map<string, { from: number, to: number, time: Schemas['PlannedTime'] }[]>} */
    const days = new Map();
    for (const time of times) {
        const from = wall(time.local_from);
        const to = wall(time.local_to);
        for (let day = from.day; day <= to.day; day = new Date(Date.parse(`${day}T12:00:00Z`) + DAY_MS).toISOString().slice(0, 10)) {
            const begins = day === from.day ? from.minute : 0;
            const ends = day === to.day ? to.minute : 1440;
            // The hour that comes twice ends before it begins; it is short, so it is drawn as an instant.
            if (ends > begins) days.set(day, [...(days.get(day) ?? []), { from: begins, to: ends, time }]);
        }
    }
    if (!days.size) return html`<p class="quiet">Nothing is planned.</p>`;
    return html`<div class="week" role="list" aria-label="What plays when">${[...days].map(([day, spans]) => html`<section role="listitem" key=${day} aria-label=${weekday(day, 'long')}>
        <h3>${weekday(day, 'short')}</h3>
        <ol>${spans.map(({ from, to, time }) => html`<li class=${`span ${time.plays.length ? '' : 'nothing'} ${time.block ? 'block' : ''}`} style=${{ '--from': from, '--long': to - from }} title=${`${clock(from)}–${clock(to)} ${time.block ?? 'no block'}: ${time.plays.join(', ') || 'failover content'}${time.unplayable.length ? `. Not playable: ${time.unplayable.join(', ')}` : ''}`}>
            <span class="number">${clock(from)}–${clock(to)}</span> <strong>${time.block ?? 'Any time'}</strong>
            <span class="plays">${time.plays.length ? time.plays.join(', ') : 'Failover content'}${time.unplayable.length > 0 && html` <em>Not playable: ${time.unplayable.join(', ')}</em>`}</span></li>`)}</ol></section>`)}</div>`;
}

/** @param {number} minute */
const clock = (minute) => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

/** @param {string} day @param {'long' | 'short'} weekday */
const weekday = (day, weekday) => new Date(`${day}T12:00:00Z`).toLocaleDateString(undefined, { weekday, day: 'numeric', month: weekday === 'long' ? 'long' : 'short', timeZone: 'UTC' });

/** @param {string[]} all @param {import('../../ui.js').Signal<string[]>} chosen @param {string} legend @param {(one: string) => string} [label] */
const choices = (all, chosen, legend, label = (one) => one) => html`<fieldset class="choices"><legend>${legend}</legend>${all.map((one) => html`<button type="button" class="button plain" aria-pressed=${chosen.value.includes(one)} onClick=${() => (chosen.value = chosen.value.includes(one) ? chosen.value.filter((other) => other !== one) : [...chosen.value, one])}>${label(one)}</button>`)}</fieldset>`;

/** @param {Schemas['ScheduleBlock'] | undefined} block @param {(block: Schemas['ScheduleBlock']) => void} done */
function openBlock(block, done) {
    const form = createForm({ name: block?.name ?? '', from: block?.from.slice(0, 5) ?? '18:00', to: block?.to.slice(0, 5) ?? '20:00', age: block?.age ?? 'all_ages', days: /** @type {string[]} */ (block?.days ?? []), kinds: /** @type {string[]} */ (block?.kinds ?? []) });
    openDialog({
        title: block ? `Change ${block.name}` : 'New block',
        view: (close) => formView(form, {
            fields: html`${field(form, 'name', { label: 'Name', required: true })}
                <div class="pair">${field(form, 'from', { label: 'From', type: 'time', required: true })}${field(form, 'to', { label: 'To', type: 'time', required: true, help: 'On the next day if it is earlier.' })}</div>
                ${choices([...DAYS], form.values.days, 'Days on which it begins; none means every day')}
                ${field(form, 'age', { label: 'For whom', options: AGES.map((value) => ({ value, label: value.replace('_', ' ') })), help: 'Content for older people does not play in it.' })}
                ${choices(Object.keys(KINDS), form.values.kinds, 'Kinds of content; none means all', (one) => KINDS[/** @type {'video_file'} */ (one)])}`,
            action: block ? 'Change the block' : 'Add the block',
            cancel: close,
            run: async (values) => {
                done({ name: values.name, from: values.from, to: values.to, age: /** @type {Schemas['AgeRating']} */ (values.age), days: DAYS.filter((day) => values.days.includes(day)), kinds: /** @type {Schemas['ContentKind'][]} */ (values.kinds) });
                close();
            },
        }),
    });
}

/** @param {Schemas['ScheduleContent'] | undefined} content @param {Schemas['ScheduleBlock'][]} blocks @param {(content: Schemas['ScheduleContent']) => void} done */
function openContent(content, blocks, done) {
    const media = content?.media;
    const form = createForm({
        name: content?.name ?? '',
        kind: media?.kind ?? 'video_file',
        where: !media ? '' : 'path' in media ? media.path : 'scene' in media ? media.scene : media.url,
        age: content?.age ?? 'all_ages',
        tier: content?.tier ?? 'standard',
        priority: String(content?.priority ?? 50),
        plays_for_seconds: String(content?.plays_for_seconds ?? ''),
        blocks: content?.blocks ?? /** @type {string[]} */ ([]),
    });
    openDialog({
        title: content ? `Change ${content.name}` : 'New content',
        view: (close) => formView(form, {
            fields: html`${field(form, 'name', { label: 'Name', required: true })}
                ${field(form, 'kind', { label: 'Kind', options: Object.entries(KINDS).map(([value, label]) => ({ value, label })) })}
                ${field(form, 'where', { label: { video_file: 'Path on the machine of OBS', scene_composition: 'Name of the scene in OBS', live_input: 'Address, without user, password and key' }[/** @type {'video_file'} */ (form.values.kind.value)], required: true })}
                ${blocks.length > 0 && choices(blocks.map(({ name }) => name), form.values.blocks, 'Blocks in which it plays; none means at any time')}
                <div class="pair">${field(form, 'age', { label: 'For whom', options: AGES.map((value) => ({ value, label: value.replace('_', ' ') })) })}
                    ${field(form, 'tier', { label: 'Tier', options: [{ value: 'premium', label: 'premium, plays first' }, { value: 'standard', label: 'standard' }] })}
                    ${field(form, 'priority', { label: 'Priority, lowest first', type: 'number', min: 11, max: 100 })}
                    ${field(form, 'plays_for_seconds', { label: 'At most (s)', type: 'number', min: 1, placeholder: 'its whole length' })}</div>`,
            action: content ? 'Change the content' : 'Add the content',
            cancel: close,
            run: async (values) => {
                const where = { video_file: { kind: 'video_file', path: values.where }, scene_composition: { kind: 'scene_composition', scene: values.where }, live_input: { kind: 'live_input', url: values.where } }[/** @type {'video_file'} */ (values.kind)];
                done({ name: values.name, media: /** @type {Schemas['ScheduleMedia']} */ (where), age: /** @type {Schemas['AgeRating']} */ (values.age), tier: /** @type {Schemas['ContentTier']} */ (values.tier), priority: Number(values.priority || 50), plays_for_seconds: values.plays_for_seconds ? Number(values.plays_for_seconds) : undefined, blocks: values.blocks });
                close();
            },
        }),
    });
}
