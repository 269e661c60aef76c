// @ts-check
/** Notifications: who is told of what. */
import { call } from '../../api.js';
import { resource } from '../../link.js';
import { answered } from './section.js';

export function notifications() {
    const list = resource((stop) => call('get', 'notifications', { signal: stop }));
    return { close: list.close, view: () => answered(list, () => null, 'The list of notifications') };
}
