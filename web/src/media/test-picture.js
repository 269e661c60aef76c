// @ts-check
/** A test picture and a tone, published from this browser by WHIP: the way of a stream is proven before an encoder is. */

const WIDTH = 640;
const HEIGHT = 360;
const FPS = 25;
const BARS = ['#c8c8c8', '#c8c800', '#00c8c8', '#00c800', '#c800c8', '#c80000', '#0000c8'];

/**
 * @param {{ url: string, secret: string, name: string, ended: (why: string) => void }} options
 * @returns {Promise<{ stop: () => Promise<void>, canvas: HTMLCanvasElement }>}
 */
export async function publishTestPicture({ url, secret, name, ended }) {
    const picture = draw(name);
    const sound = tone();
    const peer = new RTCPeerConnection();
    let session = '';
    let stopped = false;
    async function stop() {
        if (stopped) return;
        stopped = true;
        picture.stop();
        sound.stop();
        peer.close();
        if (session) await fetch(session, { method: 'DELETE', headers: { authorization: `Bearer ${secret}` }, keepalive: true }).catch(() => {});
    }
    try {
        const video = peer.addTransceiver(picture.track, { direction: 'sendonly' });
        // H.264 first: what HLS players of all browsers can show.
        const codecs = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
        const h264 = codecs.filter(({ mimeType }) => mimeType === 'video/H264');
        if (h264.length) video.setCodecPreferences([...h264, ...codecs.filter((codec) => !h264.includes(codec))]);
        if (sound.track) peer.addTransceiver(sound.track, { direction: 'sendonly' });
        await peer.setLocalDescription(await peer.createOffer());
        await gathered(peer);
        const answer = await offer(url, secret, /** @type {RTCSessionDescription} */ (peer.localDescription).sdp);
        session = answer.session;
        await peer.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
        await connected(peer);
    } catch (error) {
        await stop();
        throw error;
    }
    peer.addEventListener('connectionstatechange', () => {
        if (stopped || !['failed', 'disconnected', 'closed'].includes(peer.connectionState)) return;
        void stop();
        ended('The media server ended the test picture.');
    });
    return { stop, canvas: picture.canvas };
}

/** @param {string} url @param {string} secret @param {string} sdp */
async function offer(url, secret, sdp) {
    let response;
    try {
        response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/sdp', authorization: `Bearer ${secret}` }, body: sdp });
    } catch {
        throw new Error(`This browser does not reach the media server at ${new URL(url).origin}. The address comes from media_servers.<name>.webrtc_url; it must be one that this browser can reach${location.protocol === 'https:' && url.startsWith('http:') ? ', and https, because this page is' : ''}.`);
    }
    if (response.status === 401) throw new Error('The media server refused the key. The reason is below in a moment.');
    if (!response.ok) throw new Error(`The media server answered with status ${response.status}${await detail(response)}.`);
    const place = response.headers.get('location');
    return { sdp: await response.text(), session: place ? new URL(place, url).href : '' };
}

/** @param {Response} response */
async function detail(response) {
    const text = await response.text().catch(() => '');
    try {
        return `: ${JSON.parse(text).error}`;
    } catch {
        return '';
    }
}

/** @param {RTCPeerConnection} peer */
const gathered = (peer) =>
    new Promise((resolve) => {
        if (peer.iceGatheringState === 'complete') return resolve(undefined);
        peer.addEventListener('icegatheringstatechange', () => peer.iceGatheringState === 'complete' && resolve(undefined));
        setTimeout(resolve, 1_500);
    });

/** @param {RTCPeerConnection} peer */
const connected = (peer) =>
    new Promise((resolve, reject) => {
        const look = () => {
            if (peer.connectionState === 'connected') resolve(undefined);
            else if (peer.connectionState === 'failed') reject(new Error('No media connection to the media server: its WebRTC port (UDP 8189) is not reached from this browser.'));
        };
        peer.addEventListener('connectionstatechange', look);
        look();
        setTimeout(() => reject(new Error('No media connection within 10 s: the WebRTC port of the media server (UDP 8189) is not reached from this browser.')), 10_000);
    });

/** @param {string} name */
function draw(name) {
    const canvas = document.createElement('canvas');
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    let frame = 0;
    const paint = () => {
        const bar = WIDTH / BARS.length;
        BARS.forEach((colour, index) => {
            context.fillStyle = colour;
            context.fillRect(index * bar, 0, bar + 1, HEIGHT);
        });
        context.fillStyle = '#10151c';
        context.fillRect(0, HEIGHT * 0.62, WIDTH, HEIGHT * 0.38);
        context.fillStyle = '#ffffff';
        context.font = '600 26px system-ui, sans-serif';
        context.fillText(name, 24, HEIGHT * 0.62 + 46, WIDTH - 48);
        context.font = '22px ui-monospace, monospace';
        context.fillText(new Date().toISOString().slice(11, 23), 24, HEIGHT * 0.62 + 88);
        context.fillRect(((frame * 4) % (WIDTH + 60)) - 60, HEIGHT - 14, 60, 8);
        frame += 1;
    };
    paint();
    const timer = setInterval(paint, 1000 / FPS);
    const [track] = canvas.captureStream(FPS).getVideoTracks();
    return { canvas, track, stop: () => (clearInterval(timer), track.stop()) };
}

function tone() {
    try {
        const audio = new AudioContext();
        const oscillator = audio.createOscillator();
        const volume = audio.createGain();
        volume.gain.value = 0.08;
        const out = audio.createMediaStreamDestination();
        oscillator.frequency.value = 440;
        oscillator.connect(volume).connect(out);
        oscillator.start();
        const [track] = out.stream.getAudioTracks();
        return { track, stop: () => void audio.close() };
    } catch {
        // A device without sound: the picture is enough.
        return { track: undefined, stop: () => {} };
    }
}
