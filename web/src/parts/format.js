// @ts-check
/** Numbers and durations as people read them. Absent stays absent: nothing here makes up a number. */

/** @param {number | undefined} bitsPerSecond */
export function bitrate(bitsPerSecond) {
    if (bitsPerSecond === undefined) return undefined;
    if (bitsPerSecond >= 1e6) return `${(bitsPerSecond / 1e6).toFixed(bitsPerSecond >= 1e7 ? 0 : 1)} Mbit/s`;
    return `${Math.round(bitsPerSecond / 1e3)} kbit/s`;
}

/** @param {number | undefined} count */
export function bytes(count) {
    if (count === undefined) return undefined;
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    let value = count;
    let unit = 0;
    while (value >= 1000 && unit < units.length - 1) {
        value /= 1000;
        unit += 1;
    }
    return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** @param {number} milliseconds */
export function duration(milliseconds) {
    const seconds = Math.max(0, Math.floor(milliseconds / 1000));
    const minutes = Math.floor(seconds / 60);
    const hours = Math.floor(minutes / 60);
    const days = Math.floor(hours / 24);
    if (days) return `${days} d ${hours % 24} h`;
    if (hours) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
    if (minutes) return `${minutes} min ${String(seconds % 60).padStart(2, '0')} s`;
    return `${seconds} s`;
}

/** @param {number} count @param {string} one @param {string} [many] */
export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString()} ${count === 1 ? one : many}`;

/** @param {string} word `wrong_path` */
export const words = (word) => word.replaceAll('_', ' ');

/** @param {string} text */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Codecs by the names that encoders use. @param {string[]} tracks */
export const codecs = (tracks) => tracks.map((name) => (name === 'MPEG-4 Audio' ? 'AAC' : name)).join(', ');
