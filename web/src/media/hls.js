// @ts-check
/** Plays a stream by HLS, the protocol that carries what encoders send by default. */

const FIRST_FRAME_MS = 15_000;

/**
 * @param {HTMLVideoElement} video
 * @param {{ url: string, token: () => Promise<string | undefined>, signal: AbortSignal, ended: (why: string) => void }} options
 */
export async function playHls(video, { url, token, signal, ended }) {
    const { default: Hls } = await import('hls.js');
    let permission = await token();
    if (signal.aborted) return;
    if (!Hls.isSupported()) return playNative(video, url, signal);
    const hls = new Hls({
        enableWorker: false,
        lowLatencyMode: true,
        // The media server makes the stream when the first one asks; until then it is not found.
        manifestLoadPolicy: { default: { maxTimeToFirstByteMs: 10_000, maxLoadTimeMs: 20_000, timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 }, errorRetry: { maxNumRetry: 6, retryDelayMs: 1_000, maxRetryDelayMs: 2_000 } } },
        xhrSetup: (/** @type {XMLHttpRequest} */ request) => {
            if (permission) request.setRequestHeader('authorization', `Bearer ${permission}`);
        },
    });
    signal.addEventListener('abort', () => hls.destroy());
    const refresh = setInterval(async () => {
        permission = await token().catch(() => permission);
    }, 45_000);
    signal.addEventListener('abort', () => clearInterval(refresh));
    await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('no picture came within 15 s')), FIRST_FRAME_MS);
        video.addEventListener('playing', () => (clearTimeout(timer), resolve(undefined)), { once: true });
        signal.addEventListener('abort', () => (clearTimeout(timer), resolve(undefined)));
        let mended = false;
        hls.on(Hls.Events.ERROR, (/** @type {unknown} */ _, /** @type {any} */ data) => {
            if (!data.fatal) return;
            if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !mended) {
                mended = true;
                hls.recoverMediaError();
                return;
            }
            const why = explain(data, url);
            reject(new Error(why));
            ended(why);
        });
        hls.loadSource(url);
        hls.attachMedia(video);
        void video.play().catch(() => {});
    });
}

/** @param {any} data @param {string} url */
function explain(data, url) {
    const status = data.response?.code;
    if (status === 401 || status === 403) return 'the media server refused to play it: it asks for a permission to watch';
    if (status === 404) return 'the media server has no HLS of it';
    if (data.details === 'manifestLoadError' && !status) return `this browser does not reach ${new URL(url).origin}`;
    if (/codec/i.test(data.details)) return 'this browser cannot decode its codecs';
    return `HLS failed: ${data.details}`;
}

/** Safari plays HLS itself. @param {HTMLVideoElement} video @param {string} url @param {AbortSignal} signal */
async function playNative(video, url, signal) {
    if (!video.canPlayType('application/vnd.apple.mpegurl')) throw new Error('this browser plays no HLS');
    video.src = url;
    signal.addEventListener('abort', () => video.removeAttribute('src'));
    await video.play();
}
