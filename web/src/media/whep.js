// @ts-check
/** Plays a stream by WebRTC (WHEP): little delay, but no B-frames and no AAC. */

const FIRST_FRAME_MS = 3_000;

/**
 * @param {HTMLVideoElement} video
 * @param {{ url: string, token: () => Promise<string | undefined>, signal: AbortSignal, ended: (why: string) => void }} options
 */
export async function playWhep(video, { url, token, signal, ended }) {
    const permission = await token();
    /** @type {Record<string, string>} */
    const headers = permission ? { authorization: `Bearer ${permission}` } : {};
    const peer = new RTCPeerConnection();
    let session = '';
    signal.addEventListener('abort', () => {
        peer.close();
        video.srcObject = null;
        if (session) void fetch(session, { method: 'DELETE', headers, keepalive: true }).catch(() => {});
    });
    const media = new MediaStream();
    peer.addTransceiver('video', { direction: 'recvonly' });
    peer.addTransceiver('audio', { direction: 'recvonly' });
    peer.addEventListener('track', ({ track }) => {
        media.addTrack(track);
        video.srcObject = media;
    });
    await peer.setLocalDescription(await peer.createOffer());
    await new Promise((resolve) => {
        peer.addEventListener('icegatheringstatechange', () => peer.iceGatheringState === 'complete' && resolve(undefined));
        setTimeout(resolve, 1_000);
    });
    const response = await fetch(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/sdp' }, body: peer.localDescription?.sdp, signal }).catch(() => {
        throw new Error(`this browser does not reach ${new URL(url).origin}`);
    });
    if (!response.ok) throw new Error(response.status === 400 ? 'its codecs do not go over WebRTC' : `the media server answered with status ${response.status}`);
    const place = response.headers.get('location');
    session = place ? new URL(place, url).href : '';
    await peer.setRemoteDescription({ type: 'answer', sdp: await response.text() });
    const playing = new Promise((resolve) => video.addEventListener('playing', resolve, { once: true }));
    peer.addEventListener('connectionstatechange', () => {
        if (peer.connectionState === 'failed' || peer.connectionState === 'disconnected') ended('the media server ended the WebRTC session. Its encoder probably sends B-frames: set them to 0');
    });
    void video.play().catch(() => {});
    await Promise.race([
        playing,
        new Promise((_, reject) => setTimeout(() => reject(new Error('no picture came by WebRTC. The encoder probably sends B-frames: set them to 0 (in OBS: "bframes" 0), or the WebRTC port (UDP 8189) is closed')), FIRST_FRAME_MS + 2_000)),
    ]);
}
