// @ts-check
/** Access: who may publish, watch and manage. Each section is a file of its own. */
import { openSections } from '../parts/sections.js';
import { can, canEverywhere, session } from '../session.js';
import { broadcasters } from './broadcasters.js';
import { keys } from './keys.js';
import { organizations } from './organizations.js';
import { people } from './people.js';
import { playback } from './playback.js';
import { tokens } from './tokens.js';
import { you } from './you.js';

/** @type {import('../parts/sections.js').Entry[]} */
const sections = [
    { id: 'keys', label: 'Stream keys', shown: () => can('viewer'), open: keys },
    { id: 'broadcasters', label: 'Broadcasters', shown: () => can('viewer'), open: broadcasters },
    { id: 'playback', label: 'Playback links', shown: () => can('operator'), open: playback },
    { id: 'tokens', label: 'API tokens', shown: () => can('admin'), open: tokens },
    { id: 'people', label: 'People', shown: () => canEverywhere('admin'), open: people },
    { id: 'organizations', label: 'Organizations', shown: () => canEverywhere('admin'), open: organizations },
    { id: 'you', label: 'You', shown: () => !!session.value?.user, open: you },
];

/** @param {string[]} rest @returns {import('../areas.js').Screen} */
export const open = (rest) => openSections({
    area: 'access',
    title: 'Access',
    sections,
    tabs: 'tabs',
    none: 'You have no role in any organization yet. An administrator gives you one.',
}, rest);
