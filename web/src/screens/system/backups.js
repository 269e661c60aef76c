// @ts-check
/** How to back up: a page cannot do it, since a copy belongs on another machine. */
import { copyField } from '../../parts/copy.js';
import { html } from '../../ui.js';

export const backups = () => ({
    view: () => html`<div class="halves"><section class="panel"><header><h2>SQLite</h2></header><div class="prose">
            <p>While the service runs. The copy is consistent and checked before it gets its name.</p>
            ${copyField({ label: 'Copy the database', value: 'streamward backup /backup/streamward-$(date +%F).db' })}
            ${copyField({ label: 'The same with the master key beside it', value: 'streamward backup /backup/streamward.db --force --with-master-key' })}
            <p>Do not use <code>cp</code> on a database in use: what was written last is not in that file.</p>
            <p>To restore, as the user that the service runs as, with the service stopped:</p>
            ${copyField({ label: 'Restore', value: 'streamward restore /backup/streamward.db' })}</div></section>
        <section class="panel"><header><h2>PostgreSQL</h2></header><div class="prose">
            ${copyField({ label: 'Copy the database', value: 'pg_dump --format=custom --file=/backup/streamward.dump "$DATABASE_URL"' })}
            ${copyField({ label: 'Can the copy be read?', value: 'pg_restore --list /backup/streamward.dump > /dev/null' })}
            <p>To restore, stop <strong>all</strong> instances first: one that runs would write between the tables.</p>
            ${copyField({ label: 'Restore', value: 'pg_restore --clean --if-exists --no-owner --single-transaction --dbname="$DATABASE_URL" /backup/streamward.dump' })}</div></section></div>
        <section class="panel"><header><h2>Two things, apart from each other</h2></header><div class="prose"><ul>
            <li>The <strong>database</strong>. Alone it reveals no secret.</li>
            <li>The <strong>master key</strong>, which opens its secrets: <code>STREAMWARD_MASTER_KEY</code>, the file in <code>STREAMWARD_MASTER_KEY_FILE</code>, or <code>streamward-secrets.key</code>. Without it a restored database is of no use.</li>
            <li>The configuration: <code>streamward.toml</code> and the environment. And the clips in <code>media.dir</code>, if channels play them.</li></ul>
            <p>After a restore, keys and tokens are as they were at the backup. What was revoked since is valid again: revoke it again.</p></div></section>`,
});
