//! What waits to be sent to one output. Bounded: an output that is too slow loses frames up to the next keyframe.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::piece::Piece;
use crate::domain::channel::Track;

/// The most that waits, in milliseconds of media.
const MOST_MS: u64 = 4_000;
/// The most that waits, in bytes.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// The most that is taken at once, in bytes.
const BATCH: usize = 128 * 1024;

#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// Whether anybody takes from it.
    is_open: bool,
    /// Whether all is dropped up to the next keyframe.
    waits_for_keyframe: bool,
    dropped_frames: u64,
}

impl Queue {
    /// From now on pieces are kept, from a keyframe on.
    pub(super) fn open(&self) {
        let mut state = self.state();
        state.clear();
        state.is_open = true;
        state.waits_for_keyframe = true;
    }

    /// From now on nothing is kept.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.clear();
        state.is_open = false;
    }

    pub(super) fn push(&self, piece: Piece) {
        let mut state = self.state();
        if !state.is_open {
            return;
        }
        let is_video = piece.frame.track == Track::Video;
        // Pictures count. The silence that fills a hole comes at once, however long the hole was.
        let mut pictures = state.pieces.iter().filter(|piece| piece.frame.track == Track::Video);
        let oldest = pictures.next().filter(|_| is_video).map_or(piece.at, |oldest| oldest.at);
        if piece.at.saturating_sub(oldest) > MOST_MS || state.bytes > MOST_BYTES {
            let video = state.pieces.iter().filter(|piece| piece.frame.track == Track::Video).count();
            state.dropped_frames += video as u64;
            state.clear();
            state.waits_for_keyframe = true;
        }
        if state.waits_for_keyframe && !piece.frame.is_keyframe {
            // Frames before the first keyframe of a connection are not dropped: nobody expects them.
            let has_dropped = state.dropped_frames > 0;
            state.dropped_frames += u64::from(is_video && has_dropped);
            return;
        }
        state.waits_for_keyframe = false;
        state.bytes += piece.frame.payload.len();
        state.pieces.push_back(piece);
        drop(state);
        self.filled.notify_one();
    }

    /// Waits for pieces. Nothing is lost if this is dropped.
    pub(super) async fn take(&self) -> Vec<Piece> {
        loop {
            let pieces = self.state().take();
            if !pieces.is_empty() {
                return pieces;
            }
            self.filled.notified().await;
        }
    }

    /// Puts pieces that were taken back.
    pub(super) fn put_back(&self, pieces: impl DoubleEndedIterator<Item = Piece>) {
        let mut state = self.state();
        for piece in pieces.rev() {
            state.bytes += piece.frame.payload.len();
            state.pieces.push_front(piece);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// How much waits, in milliseconds of media.
    pub(super) fn length_ms(&self) -> u64 {
        let state = self.state();
        match (state.pieces.front(), state.pieces.back()) {
            (Some(oldest), Some(newest)) => newest.at.saturating_sub(oldest.at),
            _ => 0,
        }
    }

    pub(super) fn dropped_frames(&self) -> u64 {
        self.state().dropped_frames
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn clear(&mut self) {
        self.pieces.clear();
        self.bytes = 0;
    }

    fn take(&mut self) -> Vec<Piece> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH
            && let Some(piece) = self.pieces.pop_front()
        {
            bytes += piece.frame.payload.len();
            taken.push(piece);
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::adapters::mixer::piece::Headers;
    use crate::adapters::rtmp::Frame;

    fn push(queue: &Queue, at: u64, is_keyframe: bool) {
        let payload = Bytes::from_static(&[0x17, 1, 0, 0, 0, 1]);
        let frame = Frame { track: Track::Video, timestamp: 0, is_keyframe, is_header: false, payload };
        queue.push(Piece { frame, at, headers: Arc::new(Headers::default()) });
    }

    #[tokio::test]
    async fn queue_begins_at_a_keyframe_and_keeps_nothing_while_it_is_closed() {
        let queue = Queue::default();
        push(&queue, 0, true);
        queue.open();
        push(&queue, 40, false);
        push(&queue, 80, true);
        push(&queue, 120, false);
        let taken: Vec<u64> = queue.take().await.iter().map(|piece| piece.at).collect();
        assert_eq!((taken, queue.dropped_frames()), (vec![80, 120], 0));
        queue.close();
        push(&queue, 160, true);
        assert_eq!(queue.length_ms(), 0);
    }

    #[tokio::test]
    async fn full_queue_drops_up_to_the_next_keyframe_and_counts() {
        let queue = Queue::default();
        queue.open();
        for at in 0..=110 {
            push(&queue, at * 40, at % 50 == 0);
        }
        // 101 frames are four seconds.
        assert_eq!((queue.length_ms(), queue.dropped_frames()), (0, 111));
        for at in 111..=160 {
            push(&queue, at * 40, at % 50 == 0);
        }
        let taken: Vec<u64> = queue.take().await.iter().map(|piece| piece.at).collect();
        assert_eq!((taken[0], taken.len(), queue.dropped_frames()), (150 * 40, 11, 150));
    }

    #[tokio::test]
    async fn silence_of_a_long_hole_is_kept() {
        let queue = Queue::default();
        queue.open();
        push(&queue, 0, true);
        queue.take().await;
        for at in (20..9_000).step_by(20) {
            let payload = Bytes::from_static(&[0xaf, 1, 0x21]);
            let frame =
                Frame { track: Track::Audio, timestamp: 0, is_keyframe: false, is_header: false, payload };
            queue.push(Piece { frame, at, headers: Arc::new(Headers::default()) });
        }
        push(&queue, 9_000, true);
        assert_eq!((queue.take().await.len(), queue.dropped_frames()), (450, 0));
    }

    #[tokio::test]
    async fn pieces_that_are_put_back_come_first() {
        let queue = Queue::default();
        queue.open();
        push(&queue, 0, true);
        push(&queue, 40, false);
        let taken = queue.take().await;
        push(&queue, 80, false);
        queue.put_back(taken.into_iter().skip(1));
        let taken: Vec<u64> = queue.take().await.iter().map(|piece| piece.at).collect();
        assert_eq!(taken, [40, 80]);
    }
}
