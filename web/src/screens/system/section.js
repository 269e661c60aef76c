// @ts-check
/** What a section shows: what its route answers, or, in a sentence, why there is nothing to show. */
import { empty, shown } from '../../parts/problem.js';

/**
 * @template T
 * @param {import('../../link.js').Resource<T>} resource
 * @param {(value: T) => import('../../ui.js').View} view
 * @param {string} what such as "The audit log"
 */
export function answered(resource, view, what) {
    const failed = resource.problem.value;
    if (failed?.status === 403) return empty({ title: `${what} is not for your role`, text: `${failed.message} An administrator of the whole installation sees it.` });
    if (failed?.status === 404 || failed?.status === 405) return empty({ title: `${what} is not here`, text: 'This Streamward does not serve it: it is turned off, or this version does not have it.' });
    return shown(resource, view);
}
