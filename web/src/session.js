// @ts-check
/** Who looks at the page, and what they may do. The API decides; the page only leaves out what it would refuse. */
import { api, ApiError, hooks as apiHooks } from './api.js';
import { hooks as lineHooks, start, stop } from './link.js';
import { signal } from './ui.js';

/**
 * @typedef {import('./api/types').Schemas['CurrentSession']} Session
 * @typedef {import('./api/types').Role} Role
 */

/** `undefined` until the service has answered, `null` when nobody is signed in. */
export const session = signal(/** @type {Session | null | undefined} */ (undefined));
/** Why the sign-in is shown, when it is not the first thing. */
export const notice = signal('');
/** The service did not answer at all. */
export const unreachable = signal(/** @type {ApiError | undefined} */ (undefined));

/** @type {Role[]} */
const ORDER = ['viewer', 'operator', 'admin'];

/**
 * @param {Role} needed
 * @param {string} [organization] where; without it: anywhere
 */
export function can(needed, organization) {
    const current = session.value;
    if (!current) return false;
    const enough = (/** @type {Role | undefined} */ role) => !!role && ORDER.indexOf(role) >= ORDER.indexOf(needed);
    if (enough(current.role)) return true;
    return current.roles.some((one) => enough(one.role) && (!organization || one.organization_id === organization));
}

/** In all organizations: such as administrators and tokens of no organization. @param {Role} needed */
export function canEverywhere(needed) {
    const role = session.value?.role;
    return !!role && ORDER.indexOf(role) >= ORDER.indexOf(needed);
}

/** Asks who one is. */
export async function resume() {
    try {
        entered(await api.get('/session'));
    } catch (error) {
        if (error instanceof ApiError && (error.status === 401 || error.status === 403)) leave('');
        else unreachable.value = /** @type {ApiError} */ (error);
    }
}

/** @param {Session} current */
export function entered(current) {
    unreachable.value = undefined;
    notice.value = '';
    session.value = current;
    start();
}

/** @param {string} why */
function leave(why) {
    stop();
    unreachable.value = undefined;
    notice.value = why;
    session.value = null;
}

export async function signOut() {
    await api.delete('/session');
    leave('You are signed out.');
}

const ended = () => {
    if (session.peek()) leave('Your session has ended: it was ended by somebody, expired, or its token was deleted. Sign in again.');
};
apiHooks.signedOut = ended;
lineHooks.refused = () => {
    // The line may be refused for another reason; only the session itself knows.
    api.get('/session').catch((error) => {
        if (error instanceof ApiError && (error.status === 401 || error.status === 403)) ended();
    });
};
