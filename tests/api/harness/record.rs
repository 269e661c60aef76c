//! All answers, except those that may contain a secret.

use std::sync::{Arc, Mutex};

use super::answer::Answer;

#[derive(Clone, Default)]
pub(crate) struct Record(Arc<Mutex<Vec<u8>>>);

impl Record {
    pub(crate) fn keep(&self, answer: &Answer) {
        let mut all = self.0.lock().expect("not poisoned");
        // Without the request, which may contain a secret.
        all.extend_from_slice(format!("{} {:?}\n", answer.status, answer.headers).as_bytes());
        all.extend_from_slice(&answer.body);
    }

    pub(crate) fn keep_text(&self, text: &str) {
        self.0.lock().expect("not poisoned").extend_from_slice(text.as_bytes());
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("not poisoned").clone()
    }
}
