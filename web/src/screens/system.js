// @ts-check
/** System: what Streamward itself does, and what it says about it. Each section is a file of its own. */
import { replace, to } from '../router.js';
import { can, canEverywhere } from '../session.js';
import { html, signal } from '../ui.js';
import { audit } from './system/audit.js';
import { backups } from './system/backups.js';
import { configuration } from './system/configuration.js';
import { doctor } from './system/doctor.js';
import { events } from './system/events.js';
import { notifications } from './system/notifications.js';
import { refusals } from './system/refusals.js';
import { servers } from './system/servers.js';
import { tasks } from './system/tasks.js';

/** @typedef {{ view: () => import('../ui.js').View, close?: () => void }} Section */
/** @type {{ id: string, label: string, shown: () => boolean, open: () => Section }[]} */
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
export function open(rest) {
    const mine = sections.filter((section) => section.shown());
    const at = signal('');
    /** @type {Section | undefined} */
    let section;
    /** @param {string | undefined} id */
    const show = (id) => {
        const found = mine.find((one) => one.id === id);
        if (!found) return mine[0] ? replace('system', mine[0].id) : undefined;
        if (found.id === at.peek()) return;
        section?.close?.();
        section = found.open();
        at.value = found.id;
    };
    show(rest[0] ?? mine[0]?.id);
    return {
        title: () => mine.find(({ id }) => id === at.value)?.label ?? 'System',
        moved: ([id]) => show(id),
        close: () => section?.close?.(),
        view: () => html`<header class="head"><h1>System</h1></header>
            <div class="tabs many" role="navigation" aria-label="Sections of System">${mine.map(({ id, label }) => html`<a href=${to('system', id)} aria-current=${at.value === id ? 'page' : undefined} ref=${at.value === id ? inSight : undefined}>${label}</a>`)}</div>
            ${at.value && section?.view()}`,
    };
}

/** On a phone the sections are a row that scrolls. @param {HTMLElement | null} element */
const inSight = (element) => element?.scrollIntoView({ block: 'nearest', inline: 'center' });
