//! Everything that was answered, except what may contain a secret.

use std::sync::{Arc, Mutex};

use super::answer::Answer;

#[derive(Clone, Default)]
pub(crate) struct Record(Arc<Mutex<Vec<u8>>>);

impl Record {
    pub(crate) fn keep(&self, answer: &Answer) {
        let mut all = self.0.lock().expect("not poisoned");
        all.extend_from_slice(format!("{answer:?}\n").as_bytes());
        all.extend_from_slice(&answer.body);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("not poisoned").clone()
    }
}
