// @ts-check
/** Making and changing a channel. */
import { api } from '../../api.js';
import { encoderSettings } from '../../parts/encoder.js';
import { openDialog } from '../../parts/dialog.js';
import { createForm, field, formView } from '../../parts/form.js';
import { showOnce } from '../../parts/secret.js';
import { session } from '../../session.js';
import { html } from '../../ui.js';

/** @typedef {import('../../api/types').Schemas} Schemas */

const PICTURES = ['1280x720@30', '1920x1080@30', '1280x720@60', '1920x1080@60', '1280x720@25', '1920x1080@25', '854x480@30'];

/** @param {string} text such as `1280x720@30` */
function picture(text) {
    const [width, height, fps] = text.split(/[x@]/).map(Number);
    return { width, height, fps };
}

/** An empty field is no limit: `null` removes one, an absent one stays. @param {string} value */
const limit = (value) => (value === '' ? null : Number(value));

/** @param {ReturnType<typeof create>} form @param {string[]} pictures */
const rules = (form, pictures) => html`
    ${field(form, 'profile', { label: 'Picture', options: pictures.map((value) => ({ value, label: value.replace('x', '×').replace('@', ', ') + ' fps' })), help: 'Configure the encoder to the same. Platforms may end a broadcast whose settings change.' })}
    ${field(form, 'mismatch', { label: 'A live input that differs', options: [{ value: 'refuse', label: 'stays off the air' }, { value: 'switch', label: 'goes on air as it is' }, { value: 'transcode', label: 'is transcoded' }] })}
    <details class="more-fields"><summary>When the live input counts as lost</summary><div class="pair">
        ${field(form, 'stall_ms', { label: 'Without a picture for (ms)', type: 'number', min: 300, max: 10000 })}
        ${field(form, 'recovery_grace_seconds', { label: 'Back after good seconds', type: 'number', min: 0, max: 300 })}
        ${field(form, 'min_bitrate_kbps', { label: 'Below (kbit/s)', type: 'number', placeholder: 'not checked', min: 1 })}
        ${field(form, 'max_keyframe_gap_seconds', { label: 'Without a keyframe for (s)', type: 'number', placeholder: 'not checked', min: 1, max: 60 })}
    </div></details>`;

/** @param {Schemas['Channel']} [channel] */
const create = (channel) => createForm({
    name: channel?.name ?? '',
    display_name: channel && channel.display_name !== channel.name ? channel.display_name : '',
    organization_id: '',
    backup: 'playlist',
    profile: channel ? `${channel.profile.video.width}x${channel.profile.video.height}@${channel.profile.video.fps}` : PICTURES[0],
    mismatch: channel?.mismatch ?? 'refuse',
    stall_ms: String(channel?.failover.stall_ms ?? 700),
    recovery_grace_seconds: String(channel?.failover.recovery_grace_seconds ?? 5),
    min_bitrate_kbps: String(channel?.failover.min_bitrate_kbps ?? ''),
    max_keyframe_gap_seconds: String(channel?.failover.max_keyframe_gap_seconds ?? ''),
});

/** @param {Record<string, string>} values */
const body = (values) => ({
    mismatch: /** @type {Schemas['ChannelMismatch']} */ (values.mismatch),
    profile: { video: picture(values.profile) },
    failover: {
        stall_ms: Number(values.stall_ms || 700),
        recovery_grace_seconds: Number(values.recovery_grace_seconds || 5),
        min_bitrate_kbps: limit(values.min_bitrate_kbps),
        max_keyframe_gap_seconds: limit(values.max_keyframe_gap_seconds),
    },
});

/** @param {() => unknown} changed */
export async function openCreate(changed) {
    const form = create();
    const organizations = (session.peek()?.role === 'admin' ? await api.get('/organizations').catch(() => undefined) : undefined)?.organizations ?? [];
    openDialog({
        title: 'New channel',
        view: (close) => formView(form, {
            fields: html`${field(form, 'name', { label: 'Short name', required: true, autofocus: true, placeholder: 'Classroom', help: html`Viewers find it at <code>live/${form.values.name.value || '…'}</code>.` })}
                ${field(form, 'display_name', { label: 'Name for people', placeholder: 'the short name' })}
                ${organizations.length > 1 && field(form, 'organization_id', { label: 'Organization', options: organizations.map(({ id, name }) => ({ value: id, label: name })) })}
                ${field(form, 'backup', { label: 'Backup', options: [{ value: 'playlist', label: 'a playlist of clips' }, { value: 'stream', label: 'a second encoder' }], help: 'This cannot be changed later. Until a clip is ready, the built-in picture is the backup.' })}
                ${rules(form, PICTURES)}`,
            action: 'Make the channel',
            cancel: close,
            run: async (values) => {
                const made = await api.post('/channels', {
                    body: { ...body(values), name: values.name, display_name: values.display_name || undefined, organization_id: values.organization_id || organizations[0]?.id, inputs: { backup: { kind: values.backup } } },
                });
                close();
                changed();
                showKeys(made);
            },
        }),
    });
}

/** @param {Schemas['NewChannel']} made */
const showKeys = (made) => showOnce({
    title: `${made.display_name} is made`,
    text: `Its ${made.backup_key ? 'keys are' : 'key is'} shown this once. A lost key can be rotated under Access.`,
    view: () => html`<h3>Live encoder</h3>${encoderSettings({ key: made.live_key })}
        ${made.backup_key && html`<h3>Backup encoder</h3>${encoderSettings({ key: made.backup_key })}`}`,
});

/** @param {Schemas['Channel']} channel @param {() => unknown} changed */
export function openSettings(channel, changed) {
    const form = create(channel);
    const pictures = PICTURES.includes(form.values.profile.peek()) ? PICTURES : [form.values.profile.peek(), ...PICTURES];
    openDialog({
        title: `Settings of ${channel.display_name}`,
        view: (close) => formView(form, {
            fields: html`${field(form, 'display_name', { label: 'Name for people', placeholder: channel.name })}${rules(form, pictures)}
                ${form.values.profile.value !== `${channel.profile.video.width}x${channel.profile.video.height}@${channel.profile.video.fps}` && html`<p class="note">Platforms see the new picture at once. A live input that does not have it leaves the air. Change the encoder and the channel together, before the broadcast.</p>`}`,
            action: 'Save',
            cancel: close,
            run: async (values) => {
                const wanted = body(values);
                await api.patch('/channels/{id}', { path: { id: channel.id }, body: { ...wanted, display_name: values.display_name || channel.name } });
                close();
                changed();
            },
        }),
    });
}
