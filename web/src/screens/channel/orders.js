// @ts-check
/** What a person orders about a channel: a cut with its reason, and a rehearsal with its report. */
import { api } from '../../api.js';
import { resource } from '../../link.js';
import { badge } from '../../parts/badge.js';
import { openDialog } from '../../parts/dialog.js';
import { createForm, field, formView } from '../../parts/form.js';
import { problem } from '../../parts/problem.js';
import { table } from '../../parts/table.js';
import { say } from '../../parts/toast.js';
import { html, now, part, region } from '../../ui.js';
import { MODES, OUTPUTS, SOURCES, hole } from './words.js';

/** @typedef {import('../../api/types').Schemas} Schemas */

/** How long a hold lasts; the empty one has no end. */
export const SPANS = [
    { value: '300', label: '5 minutes' },
    { value: '1800', label: '30 minutes' },
    { value: '7200', label: '2 hours' },
    { value: '43200', label: '12 hours' },
    { value: '', label: 'Until somebody ends it' },
];

/** @param {Schemas['Channel']} channel @param {() => unknown} changed */
export function openCut(channel, changed) {
    const form = createForm({ mode: channel.mode === 'auto' ? 'hold_backup' : 'auto', expires_in_seconds: '1800', reason: '' });
    openDialog({
        title: `Cut ${channel.display_name}`,
        view: (close) => formView(form, {
            fields: html`${field(form, 'mode', { label: 'What goes on air', options: Object.entries(MODES).map(([value, label]) => ({ value, label })) })}
                ${form.values.mode.value !== 'auto' && field(form, 'expires_in_seconds', { label: 'For how long', options: SPANS, help: 'Then the channel is automatic again.' })}
                ${field(form, 'reason', { label: 'Reason', required: true, autofocus: true, placeholder: 'moving the camera', help: 'It stands in the log of decisions.' })}`,
            action: 'Cut',
            cancel: close,
            run: async ({ mode, expires_in_seconds, reason }) => {
                await api.post('/channels/{id}/mode', {
                    path: { id: channel.id },
                    body: { mode: /** @type {Schemas['ChannelMode']} */ (mode), reason, expires_in_seconds: mode === 'auto' || !expires_in_seconds ? undefined : Number(expires_in_seconds) },
                });
                close();
                say(`${channel.display_name}: ${MODES[/** @type {Schemas['ChannelMode']} */ (mode)]}`);
                changed();
            },
        }),
    });
}

/** @param {Schemas['Channel']} channel */
export function openRehearsal(channel) {
    const form = createForm({ cut_live_for_seconds: '10' });
    openDialog({
        title: `Rehearse the loss of the live input of ${channel.display_name}`,
        view: (close) => formView(form, {
            fields: html`<p>For this long the live input is treated as lost, on air. Viewers see the backup. Afterwards a report says how long the holes were and whether a destination had to reconnect.</p>
                ${field(form, 'cut_live_for_seconds', { label: 'Seconds without the live input', type: 'number', min: 1, max: 300, required: true })}`,
            action: 'Rehearse on air',
            cancel: close,
            run: async ({ cut_live_for_seconds }) => {
                const begun = await api.post('/channels/{id}/rehearsals', { path: { id: channel.id }, body: { cut_live_for_seconds: Number(cut_live_for_seconds) } });
                close();
                openReport(channel, begun);
            },
        }),
    });
}

/** @param {Schemas['Channel']} channel @param {Schemas['Rehearsal']} begun */
function openReport(channel, begun) {
    openDialog({ title: `Rehearsal of ${channel.display_name}`, wide: true, view: () => part(report, { channel, begun }) });
}

/** @param {{ channel: Schemas['Channel'], begun: Schemas['Rehearsal'] }} args @param {(what: () => void) => void} leaving */
function report({ channel, begun }, leaving) {
    const path = { id: channel.id, rehearsal_id: begun.id };
    const source = resource((signal) => api.get('/channels/{id}/rehearsals/{rehearsal_id}', { path, signal }), { topics: ['channel.'], every: 1_000 });
    const targets = resource((signal) => api.get('/channels/{id}/destinations', { path: { id: channel.id }, signal }));
    leaving(source.close);
    leaving(targets.close);
    return () => {
        const value = source.value.value ?? begun;
        if (source.problem.value) return problem(source.problem.value, source.reload);
        if (value.state === 'failed') return html`<p>${badge('bad', 'Failed')} ${value.error ?? 'It ended without a reason.'}</p>`;
        if (value.state !== 'done' || !value.report)
            return html`<p role="status">${badge('wait', value.state === 'requested' ? 'Waiting for the channel' : 'Running')}</p>
                <p class="quiet">${region(() => left(value))} The report stands here when the programme is back where it was.</p>`;
        const result = value.report;
        const names = new Map(targets.value.value?.destinations.map(({ id, name }) => [id, name]));
        const rows = [
            ...(result.media_server ? [{ ...result.media_server, id: '', name: 'Viewers at the media server' }] : []),
            ...result.destinations.map((one) => ({ ...one, name: names.get(one.id) ?? one.id })),
        ];
        return html`<p>${badge('good', 'Done')} ${SOURCES[result.on_air_before].word} → ${SOURCES[result.on_air_during].word}. The programme had a hole of ${hole(result.hole_ms)} at the cut and of ${hole(result.return_hole_ms)} at the return.</p>
            ${table({
                caption: 'What each destination noticed',
                rows,
                key: (row) => row.id,
                columns: [
                    { head: 'Destination', main: true, cell: (row) => row.name },
                    { head: 'State', cell: (row) => badge(OUTPUTS[row.state].tone, OUTPUTS[row.state].word) },
                    { head: 'Hole at the cut', end: true, cell: (row) => hole(row.hole_ms) },
                    { head: 'At the return', end: true, cell: (row) => hole(row.return_hole_ms) },
                    { head: 'Reconnects', end: true, cell: (row) => row.reconnects },
                    { head: 'Frames dropped', end: true, cell: (row) => row.dropped_frames },
                ],
            })}`;
    };
}

/** @param {Schemas['Rehearsal']} value */
function left(value) {
    if (!value.started_at) return 'The instance that runs the channel has not begun yet.';
    const seconds = Math.ceil(value.cut_live_for_seconds - (now.value - Date.parse(value.started_at)) / 1000);
    return seconds > 0 ? `The live input may come back in ${seconds} s.` : 'The live input may come back now.';
}
