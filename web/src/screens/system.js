// @ts-check
/** System: what Streamward itself does, and what it says about it. Each section is a file of its own. */
import { openSections } from '../parts/sections.js';
import { can, canEverywhere } from '../session.js';
import { audit } from './system/audit.js';
import { backups } from './system/backups.js';
import { configuration } from './system/configuration.js';
import { doctor } from './system/doctor.js';
import { events } from './system/events.js';
import { notifications } from './system/notifications.js';
import { refusals } from './system/refusals.js';
import { servers } from './system/servers.js';
import { tasks } from './system/tasks.js';

/** @type {import('../parts/sections.js').Entry[]} */
const sections = [
    { id: 'doctor', label: 'Doctor', shown: () => canEverywhere('operator'), open: doctor },
    { id: 'servers', label: 'Media servers', shown: () => canEverywhere('viewer'), open: servers },
    { id: 'refused', label: 'Refused attempts', shown: () => can('operator'), open: refusals },
    { id: 'tasks', label: 'Tasks', shown: () => canEverywhere('operator'), open: tasks },
    { id: 'events', label: 'Events', shown: () => can('viewer'), open: events },
    { id: 'audit', label: 'Audit', shown: () => can('admin'), open: audit },
    { id: 'notifications', label: 'Notifications', shown: () => canEverywhere('admin'), open: notifications },
    { id: 'configuration', label: 'Configuration', shown: () => canEverywhere('admin'), open: configuration },
    { id: 'backups', label: 'Backups', shown: () => canEverywhere('admin'), open: backups },
];

/** @param {string[]} rest @returns {import('../areas.js').Screen} */
export const open = (rest) => openSections({ area: 'system', title: 'System', sections, tabs: 'tabs many' }, rest);
