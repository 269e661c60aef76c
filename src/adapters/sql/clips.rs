//! Clips.

use async_trait::async_trait;

use super::args::{list, newest};
use super::columns::signed;
use super::commit::commit;
use super::db::Tx;
use super::playlists::channels_with;
use super::row::{NewRow, Record, Row, Stored, rows, unreadable};
use super::scope::in_scope;
use super::store::SqlStore;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::clip::{Clip, ClipId, ClipName, ClipState, ContentHash, JobId, Probe, Rendition, Step};
use crate::domain::page::{Newest, Page};
use crate::domain::profile::Profile;
use crate::ports::{Change, ClipCreation, ClipDeletion, ClipStore, Result};

/// How much 1 is in the column `progress`.
const WHOLE: f32 = 1_000_000.0;

ids!(ClipId, JobId);
texts!(ClipName);
as_json!(Probe, Vec<Rendition>);

column! {
    ContentHash: Bytes Vec<u8>, |hash| hash.0.to_vec(), |raw| {
        Ok(Self(raw.try_into().map_err(|_| "a hash that is not 32 bytes long")?))
    };
}

table! {
    clips: Clip {
        id uuid, organization_id uuid, name text, size int, source bytes, probe text, renditions text, created_at int, updated_at int;
        state: manual ClipState { state text, upload_offset int, expires_at int, progress int, error text },
    } extra { stored_bytes int, attempts int }
}

/// Clips to prepare that no job has at the time `$1`. Unless `$2` is 0, their upload is kept.
macro_rules! to_prepare {
    () => {
        "state IN ('queued', 'probing', 'normalizing') AND (job_until IS NULL OR job_until <= $1) \
         AND (source IS NOT NULL OR $2 = 0)"
    };
}

statements! {
    LOCK = ["UPDATE counters SET value = value + 1 WHERE name = 'clips'"];
    BYTES = ["SELECT CAST(COALESCE(SUM(stored_bytes), 0) AS BIGINT) FROM clips"];
    INSERT = [[insert clips]];
    GET = [[select clips], " WHERE id = $1 AND ", [in_scope "$2"]];
    WITH = [[select clips], " WHERE id IN ", [ids "$1"], " AND ", [in_scope "$2"]];
    GET_LOCKED = [[select clips], " WHERE id = $1", [lock]];
    GET_LOCKED_IN = [[select clips], " WHERE id = $1 AND ", [in_scope "$2"], [lock]];
    GET_OF_JOB = [[select clips], " WHERE id = $1 AND job = $2", [lock]];
    PAGE = [
        [select clips], " WHERE ", [in_scope "$4"], " AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    PAGE_OF_ORGANIZATION = [
        [select clips], " WHERE organization_id = $4 AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    UPDATE = [[update clips]];
    TO_KEEP = [
        [select clips], " WHERE state IN ('queued', 'probing', 'normalizing') AND source IS NULL",
        " ORDER BY created_at, id LIMIT 100",
    ];
    WAITING = ["SELECT id FROM clips WHERE ", (to_prepare!()), " LIMIT 1"];
    NEXT = [
        "SELECT attempts, ", [columns clips], " FROM clips WHERE ", (to_prepare!()),
        " ORDER BY created_at, id LIMIT 1", [skip_locked "clips"],
    ];
    GIVE = ["UPDATE clips SET job = $2, job_until = $3, attempts = $4, stored_bytes = $5 WHERE id = $1"];
    KEEP = ["UPDATE clips SET job = $2, job_until = $3 WHERE id = $1"];
    DELETE = ["DELETE FROM clips WHERE id = $1"];
    EXPIRED = ["SELECT id FROM clips WHERE state = 'uploading' AND expires_at <= $1 LIMIT 1"];
    EXPIRE = ["DELETE FROM clips WHERE state = 'uploading' AND expires_at <= $1 RETURNING id"];
}

impl Record for ClipState {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        let state: String = row.get("state")?;
        let (offset, expires_at): (Option<u64>, Option<Timestamp>) =
            (row.get("upload_offset")?, row.get("expires_at")?);
        let error: Option<String> = row.get("error")?;
        match (state.as_str(), offset, expires_at) {
            ("uploading", Some(offset), Some(expires_at)) => Ok(Self::Uploading { offset, expires_at }),
            ("queued", ..) => Ok(Self::Queued { waits_for: error }),
            ("probing", ..) => Ok(Self::Probing),
            ("normalizing", ..) => {
                let progress: Option<u32> = row.get("progress")?;
                #[expect(clippy::cast_precision_loss, reason = "at most a million")]
                let progress = progress.unwrap_or(0) as f32 / WHOLE;
                Ok(Self::Normalizing { progress })
            }
            ("ready", ..) => Ok(Self::Ready),
            ("failed", ..) => Ok(Self::Failed { error: error.unwrap_or_default() }),
            _ => Err(unreadable(format!("a clip of state {state:?}"))),
        }
    }
}

impl Stored for ClipState {
    fn write(&self, row: &mut NewRow) {
        let (offset, expires_at) = match *self {
            Self::Uploading { offset, expires_at } => (Some(offset), Some(expires_at)),
            _ => (None, None),
        };
        let progress = match *self {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from 0 to a million"
            )]
            Self::Normalizing { progress } => Some((progress * WHOLE) as u32),
            _ => None,
        };
        let error = match self {
            Self::Queued { waits_for } => waits_for.clone(),
            Self::Failed { error } => Some(error.clone()),
            _ => None,
        };
        row.set("state", self.name());
        row.set("upload_offset", &offset);
        row.set("expires_at", &expires_at);
        row.set("progress", &progress);
        row.set("error", &error);
    }
}

/// A clip, and how often somebody began to prepare it since the last step.
impl Record for (u32, Clip) {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok((row.get("attempts")?, row.record()?))
    }
}

async fn bytes(tx: &mut Tx) -> Result<u64> {
    let bytes: Option<i64> = tx.row(BYTES, args![]).await?;
    Ok(bytes.unwrap_or(0).unsigned_abs())
}

async fn update(tx: &mut Tx, clip: &Clip) -> Result<()> {
    tx.run(UPDATE, args![rows([NewRow::of(clip)])]).await.map(drop)
}

#[async_trait]
impl ClipStore for SqlStore {
    async fn create_clip(&self, clip: &Clip, max_bytes: u64, by: Change<'_>) -> Result<ClipCreation> {
        let mut tx = self.db.begin().await?;
        tx.run(LOCK, args![]).await?;
        let size = clip.stored_bytes();
        if bytes(&mut tx).await?.saturating_add(size) > max_bytes {
            return tx.rollback(ClipCreation::Full).await;
        }
        let row = NewRow::of(clip).with("stored_bytes", &size).with("attempts", &0_u32);
        tx.run(INSERT, args![rows([row])]).await?;
        commit(tx, by.at(), by.audit, clip.organization_id, &[]).await?;
        Ok(ClipCreation::Created)
    }

    async fn clip(&self, scope: &Scope, id: ClipId) -> Result<Option<Clip>> {
        self.db.row(GET, args![id, scope]).await
    }

    async fn clips_with(&self, scope: &Scope, ids: &[ClipId]) -> Result<Vec<Clip>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.db.rows(WITH, args![list(ids), scope]).await
    }

    async fn clips(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Clip>> {
        let (statement, scope) = in_scope(scope, PAGE, PAGE_OF_ORGANIZATION);
        self.db.rows(statement, [newest(page), vec![scope]].concat()).await
    }

    async fn clip_bytes(&self) -> Result<u64> {
        let bytes: Option<i64> = self.db.row(BYTES, args![]).await?;
        Ok(bytes.unwrap_or(0).unsigned_abs())
    }

    async fn advance_upload(
        &self,
        id: ClipId,
        part: (u64, u64),
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Clip>> {
        let mut tx = self.db.begin().await?;
        let clip: Option<Clip> = tx.row(GET_LOCKED, args![id]).await?;
        let Some(clip) = clip.and_then(|clip| clip.advanced(part, expires_at, now)) else {
            return tx.rollback(None).await;
        };
        update(&mut tx, &clip).await?;
        tx.commit().await?;
        Ok(Some(clip))
    }

    async fn want_rendition(&self, id: ClipId, profile: &Profile, now: Timestamp) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let clip: Option<Clip> = tx.row(GET_LOCKED, args![id]).await?;
        let Some(clip) = clip.and_then(|clip| clip.wanted(profile, now)) else {
            return tx.rollback(false).await;
        };
        update(&mut tx, &clip).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn clips_to_keep(&self) -> Result<Vec<Clip>> {
        self.db.rows(TO_KEEP, args![]).await
    }

    async fn record_kept(
        &self,
        id: ClipId,
        kept: &std::result::Result<ContentHash, String>,
        now: Timestamp,
    ) -> Result<Option<Clip>> {
        let mut tx = self.db.begin().await?;
        let clip: Option<Clip> = tx.row(GET_LOCKED, args![id]).await?;
        let Some(clip) = clip.and_then(|clip| clip.kept(kept, now)) else {
            return tx.rollback(None).await;
        };
        update(&mut tx, &clip).await?;
        tx.commit().await?;
        Ok(Some(clip))
    }

    async fn claim_clip(
        &self,
        job: JobId,
        only_kept: bool,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Clip>> {
        let only_kept = i64::from(only_kept);
        // Mostly there is none. So the writer of SQLite is not taken for nothing.
        if self.db.row::<ClipId>(WAITING, args![now, only_kept]).await?.is_none() {
            return Ok(None);
        }
        let mut tx = self.db.begin().await?;
        let next: Option<(u32, Clip)> = tx.row(NEXT, args![now, only_kept]).await?;
        let Some((attempts, clip)) = next else { return tx.rollback(None).await };
        let clip = clip.claimed(attempts + 1, now);
        update(&mut tx, &clip).await?;
        let job = clip.is_at_work().then_some(job);
        tx.run(GIVE, args![clip.id, job, until, attempts + 1, clip.stored_bytes()]).await?;
        tx.commit().await?;
        Ok(Some(clip))
    }

    async fn record_step(
        &self,
        id: ClipId,
        job: JobId,
        step: &Step,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Clip>> {
        let mut tx = self.db.begin().await?;
        let Some(clip) = tx.row::<Clip>(GET_OF_JOB, args![id, job]).await? else {
            return tx.rollback(None).await;
        };
        let clip = clip.after(step, now);
        update(&mut tx, &clip).await?;
        let job = clip.is_at_work().then_some(job);
        // Progress is no proof that the next step will be reached.
        if matches!(step, Step::Progress(_)) {
            tx.run(KEEP, args![id, job, until]).await?;
        } else {
            tx.run(GIVE, args![id, job, until, 0_i64, signed(clip.stored_bytes())]).await?;
        }
        tx.commit().await?;
        Ok(Some(clip))
    }

    async fn delete_clip(&self, id: ClipId, by: Change<'_>) -> Result<ClipDeletion> {
        let mut tx = self.db.begin().await?;
        let Some(clip) = tx.row::<Clip>(GET_LOCKED_IN, args![id, by.scope]).await? else {
            return tx.rollback(ClipDeletion::NotFound).await;
        };
        let channels = channels_with(&mut tx, id).await?;
        if !channels.is_empty() {
            return tx.rollback(ClipDeletion::InUse(channels)).await;
        }
        tx.run(DELETE, args![id]).await?;
        commit(tx, by.at(), by.audit, clip.organization_id, &[]).await?;
        Ok(ClipDeletion::Deleted)
    }

    async fn remove_expired_uploads(&self, now: Timestamp) -> Result<Vec<ClipId>> {
        if self.db.row::<ClipId>(EXPIRED, args![now]).await?.is_none() {
            return Ok(Vec::new());
        }
        Ok(self.db.write(EXPIRE, args![now]).await?.rows)
    }
}
