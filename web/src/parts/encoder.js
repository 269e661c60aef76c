// @ts-check
/** What to type into an encoder, for a key that was made just now. */
import { html, part, signal } from '../ui.js';
import { copyField } from './copy.js';
import { button } from './button.js';
import { qr } from './qr.js';

/** @typedef {import('../api/types').Schemas['NewStreamKey']} NewStreamKey */

const MINE = [
    { id: 'obs', label: 'OBS' },
    { id: 'ffmpeg', label: 'ffmpeg' },
    { id: 'srt', label: 'SRT' },
    { id: 'rtmp', label: 'RTMP' },
    { id: 'rtsp', label: 'RTSP' },
    { id: 'whip', label: 'WHIP' },
    { id: 'key', label: 'Key only' },
];

/** @param {{ key: NewStreamKey }} options */
export const encoderSettings = (options) => part(settings, options, options.key.id);

function settings() {
    const mine = signal('obs');
    const phone = signal(false);
    return (/** @type {{ key: NewStreamKey }} */ { key }) => {
        const { ingest } = key;
        const list = MINE.filter(({ id }) => id === 'key' || (ingest && (id !== 'rtsp' || ingest.rtsp)));
        const shown = ingest ? mine.value : 'key';
        const address = ingest && { srt: ingest.srt, rtmp: ingest.rtmp, rtsp: ingest.rtsp }[shown];
        return html`<div class="encoder">
            <div class="tabs" role="group" aria-label="Your encoder">${list.map(({ id, label }) => html`<button type="button" aria-pressed=${shown === id} onClick=${() => (mine.value = id)}>${label}</button>`)}</div>
            ${shown === 'obs' && ingest && html`<p class="quiet">In OBS: Settings, Stream, service "Custom…".</p>
                ${copyField({ label: 'Server', value: ingest.obs.server })}
                ${copyField({ label: 'Stream key', value: ingest.obs.stream_key, secret: true })}
                <p class="quiet">For a preview with little delay, set B-frames to 0: Settings, Output, "bframes" or "Max B-frames".</p>
                <div class="actions">${button({ label: 'Save as OBS service file', action: () => save(ingest.obs) })}</div>`}
            ${shown === 'ffmpeg' && ingest && html`<p class="quiet">Sends a file. For a camera, replace what stands before <code>-c:v</code>.</p>
                ${copyField({ label: 'Command', value: `ffmpeg -re -i video.mp4 -c:v libx264 -preset veryfast -bf 0 -g 60 -c:a aac -f flv '${ingest.rtmp}'`, secret: true })}`}
            ${address && html`<p class="quiet">${shown === 'srt' ? 'One address with everything in it.' : 'The key is in the address: treat it like a password.'}</p>
                ${copyField({ label: `${shown.toUpperCase()} address`, value: address, secret: true })}
                ${phone.value ? html`<figure class="qrcode">${qr({ text: address, label: `The ${shown.toUpperCase()} address as a QR code` })}<figcaption class="quiet">For the camera of a phone encoder such as Larix. Whoever photographs it can publish.</figcaption></figure>`
                    : html`<div class="actions">${button({ label: 'Show as QR code', action: () => (phone.value = true) })}</div>`}`}
            ${shown === 'whip' && ingest && html`<p class="quiet">In OBS: Settings, Stream, service "WHIP".</p>
                ${copyField({ label: 'Server', value: ingest.whip })}
                ${copyField({ label: 'Bearer token', value: key.key_value, secret: true })}`}
            ${shown === 'key' && html`${copyField({ label: 'Stream key', value: key.key_value, secret: true })}
                ${ingest && html`<p class="quiet">For encoders that can send an address and nothing else:</p>${copyField({ label: 'RTMP address with the key as its path', value: ingest.rtmp_secret_path, secret: true })}`}`}
        </div>`;
    };
}

/** The file that OBS keeps its service in. @param {{ server: string, stream_key: string }} obs */
function save(obs) {
    const service = { type: 'rtmp_custom', settings: { server: obs.server, key: obs.stream_key, use_auth: false } };
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([JSON.stringify(service, null, 4)], { type: 'application/json' }));
    link.download = 'service.json';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
