// @ts-check
/** The areas of the page, in the order of the navigation. Each screen is a file that is loaded when it is opened. */
import { can } from './session.js';

/**
 * What a screen's `open` answers. `moved` takes a new address of the same area; without it, the screen is opened anew.
 * @typedef {{ title: () => string, view: () => import('./ui.js').View, close?: () => void, moved?: (rest: string[]) => void }} Screen
 */

/**
 * `key`: `g`, then this letter, goes there. `shown`: whether the navigation has it for this person.
 * @type {{ id: string, label: string, icon: import('./parts/icon.js').Icon, key: string, shown: () => boolean, load: () => Promise<{ open: (rest: string[]) => Screen | Promise<Screen> }> }[]}
 */
export const areas = [
    { id: 'live', label: 'Live', icon: 'live', key: 'l', shown: () => can('viewer'), load: () => import('./screens/live.js') },
    { id: 'access', label: 'Access', icon: 'access', key: 'a', shown: () => true, load: () => import('./screens/access.js') },
    { id: 'channels', label: 'Channels', icon: 'channels', key: 'c', shown: () => can('viewer'), load: () => import('./screens/channels.js') },
    { id: 'studios', label: 'Studios', icon: 'studios', key: 's', shown: () => can('viewer'), load: () => import('./screens/studios.js') },
    { id: 'streamers', label: 'Streamers', icon: 'streamers', key: 'k', shown: () => can('viewer'), load: () => import('./screens/streamers.js') },
    { id: 'system', label: 'System', icon: 'system', key: 'y', shown: () => can('viewer'), load: () => import('./screens/system.js') },
    { id: 'start', label: 'First minutes', icon: 'start', key: 'f', shown: () => can('admin'), load: () => import('./screens/start.js') },
];
